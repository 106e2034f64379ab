/* Prints a template, such as that of the man page, with the lines that stand for the tables of
 * settings and commands replaced by what these say: reference TEMPLATE. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"

/* With what roff would read as its own escaped. */
static void print_roff(const char *text)
{
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
}

static void print_term(const char *name, const char *arguments)
{
    fputs(".TP\n.BI ", stdout);
    print_roff(name);
    if (arguments)
        printf(" \" %s\"", arguments);
    putchar('\n');
}

static void print_title(void)
{
    puts(".TH VMSNAPD 8 \"\" \"vmsnapd " VERSION "\" \"System administration\"");
}

static void print_synopses(void)
{
    for (size_t i = 0; i < command_count; i++)
        printf(".br\n.B vmsnapd %s\n.RI %s\n", commands[i].name,
               commands[i].options->arguments);
}

static void print_table(const struct options *options)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct option *option = &options->table[i];
        print_term(option->flag, option->argument);
        print_roff(option->help);
        if (option->fallback) {
            fputs(" [", stdout);
            print_roff(option->fallback);
            putchar(']');
        }
        putchar('\n');
    }
}

static void print_options(void)
{
    print_table(&config_options);
}

static bool has_own_options(const struct command *command)
{
    return command->options != &config_options && command->options->count > 0;
}

static void print_commands(void)
{
    for (size_t i = 0; i < command_count; i++) {
        print_term(commands[i].name, commands[i].options->arguments);
        print_roff(commands[i].help);
        putchar('\n');
        if (!has_own_options(&commands[i]))
            continue;
        puts(".RS");
        print_table(commands[i].options);
        puts(".RE");
    }
}

/* Those that a file of variables can hold, each with its default, and none of them set. */
static void print_variables(void)
{
    char name[OPTION_VARIABLE_SIZE];

    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *option = &config_options.table[i];
        if (strcmp(option->flag, "--help") == 0 || strcmp(option->flag, "--version") == 0)
            continue;
        options_name_variable(&config_options, option, name);
        printf("\n# %s\n#%s=%s\n", option->help, name, option->fallback ? option->fallback : "");
    }
}

static void print_flags(void)
{
    for (size_t i = 0; i < config_options.count; i++)
        printf("        %s\n", config_options.table[i].flag);
}

static void print_command_names(void)
{
    for (size_t i = 0; i < command_count; i++)
        printf("        %s\n", commands[i].name);
}

/* Which words bash's compgen is to offer after an option. */
static void print_value(const struct option *option)
{
    printf("    %s) mapfile -t COMPREPLY < <(compgen ", option->flag);
    if (option->type == OPTION_CHOICE) {
        fputs("-W '", stdout);
        for (const char *const *name = option->names; *name; name++)
            printf("%s ", *name);
        putchar('\'');
    } else if (strcmp(option->argument, "DIR") == 0) {
        fputs("-d", stdout);
    } else if (strcmp(option->argument, "FILE") == 0) {
        fputs("-f", stdout);
    } else {
        fputs("-W ''", stdout);
    }
    puts(" -- \"$2\") ;;");
}

static void print_values_of(const struct options *options)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->table[i].argument)
            print_value(&options->table[i]);
}

static void print_values(void)
{
    print_values_of(&config_options);
    for (size_t i = 0; i < command_count; i++)
        if (has_own_options(&commands[i]))
            print_values_of(commands[i].options);
}

/* Which words there are after a command with options of its own; operands are directories. */
static void print_words(void)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct options *options = commands[i].options;
        if (!has_own_options(&commands[i]))
            continue;
        printf("    %s) words=(", commands[i].name);
        for (size_t k = 0; k < options->count; k++)
            printf("%s%s", k ? " " : "", options->table[k].flag);
        printf(")%s ;;\n", options->operands ? " operands=(-d)" : "");
    }
}

static const struct {
    const char *line;
    void (*print)(void);
} places[] = {
    {"@TITLE@\n",         print_title        },
    {"@SYNOPSES@\n",      print_synopses     },
    {"@OPTIONS@\n",       print_options      },
    {"@COMMANDS@\n",      print_commands     },
    {"@VARIABLES@\n",     print_variables    },
    {"@FLAGS@\n",         print_flags        },
    {"@COMMAND_NAMES@\n", print_command_names},
    {"@VALUES@\n",        print_values       },
    {"@WORDS@\n",         print_words        },
};

static void print_line(const char *line)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(line, places[i].line) == 0) {
            places[i].print();
            return;
        }
    fputs(line, stdout);
}

int main(int argc, char *argv[])
{
    FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
    char line[1024];

    if (!template) {
        fputs("usage: reference TEMPLATE\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, template))
        print_line(line);
    return fclose(template) == 0 && fflush(stdout) == 0 ? 0 : 1;
}
