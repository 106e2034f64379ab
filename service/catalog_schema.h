/* The form of the catalogue's database: numbered migrations, and whether it is for us. */
#pragma once

#include <stddef.h>

#include "service/catalog_db.h"

/* How many migrations there are: the version of a database that has them all. */
extern const int schema_version;

/* Carries out the migrations that the database lacks, up to number `version`, all or none.
 * SQLITE_NOTADB, with `why`, if it is none of ours or of a later version. */
int schema_migrate(sqlite3 *handle, int version, const char **why);

/* Makes the database one of this store and of the documents that this program writes: it is emptied
 * where those would look different today. SQLITE_NOTADB, with `why`, for another store's. */
int schema_adopt(sqlite3 *handle, const char *store, const char **why);
