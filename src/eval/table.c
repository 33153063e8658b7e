/* Tables of scores: see table.h. */
#include "eval/table.h"

#include "io/json.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { NAME_WIDTH = 16 };

static void row_free(eval_row *row) {
    char *owned[] = {row->system, row->folder, row->name, row->reference, row->output, row->remark};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

static bool copy(char **to, const char *from) {
    *to = from ? base_strdup(from) : NULL;
    return !from || *to;
}

lull_status eval_table_add(eval_table *table, const eval_row *row, lull_error *error) {
    if (!base_grow((void **)&table->rows, &table->capacity, table->count + 1, sizeof *table->rows))
        return base_no_memory(error);
    eval_row *new_row = &table->rows[table->count];
    *new_row = *row;
    bool fine = copy(&new_row->system, row->system ? row->system : "");
    fine &= copy(&new_row->folder, row->folder ? row->folder : "");
    fine &= copy(&new_row->name, row->name ? row->name : "");
    fine &= copy(&new_row->reference, row->reference);
    fine &= copy(&new_row->output, row->output);
    fine &= copy(&new_row->remark, row->remark);
    if (!fine) {
        row_free(new_row);
        return base_no_memory(error);
    }
    table->count++;
    return LULL_OK;
}

void eval_table_free(eval_table *table) {
    for (size_t i = 0; i < table->count; i++) row_free(&table->rows[i]);
    base_free(table->rows);
    *table = (eval_table){NULL, 0, 0};
}

/* Student's t: 97.5 % of its distribution lie below, for n − 1 degrees of freedom. */
static double student_t(size_t n) {
    static const double T[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
    size_t freedom = n - 1;
    if (freedom <= sizeof T / sizeof *T) return T[freedom - 1];
    /* Cornish and Fisher's first term beyond the normal distribution; off by 2e-4 at most here. */
    const double z = 1.959964;
    return z + z * (z * z + 1) / (4 * (double)freedom);
}

static bool matches(const eval_row *row, const char *system, const char *folder) {
    return (!system || !strcmp(row->system, system)) && (!folder || !strcmp(row->folder, folder));
}

eval_mean eval_table_mean(const eval_table *table, eval_score score, const char *system,
                          const char *folder) {
    eval_mean result = {NAN, NAN, 0};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < table->count; i++) {
        double value = table->rows[i].scores.value[score];
        if (!matches(&table->rows[i], system, folder) || !isfinite(value)) continue;
        sum += value;
        result.n++;
    }
    if (!result.n) return result;
    result.mean = sum / (double)result.n;
    for (size_t i = 0; i < table->count; i++) {
        double value = table->rows[i].scores.value[score];
        if (matches(&table->rows[i], system, folder) && isfinite(value))
            squares += (value - result.mean) * (value - result.mean);
    }
    if (result.n > 1)
        result.interval =
            student_t(result.n) * sqrt(squares / (double)(result.n - 1) / (double)result.n);
    return result;
}

double eval_table_factor(const eval_table *table, const char *system, const char *folder) {
    double work = 0, seconds = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (!matches(&table->rows[i], system, folder)) continue;
        work += table->rows[i].work;
        seconds += table->rows[i].seconds;
    }
    return work > 0 ? work / seconds : NAN;
}

double eval_table_modulation_ratio(const eval_table *table, const char *system,
                                   const char *folder) {
    return eval_table_mean(table, EVAL_MODULATION, system, folder).mean /
           eval_table_mean(table, EVAL_MODULATION_REFERENCE, system, folder).mean;
}

const char *eval_table_system(const eval_table *table, size_t wanted) {
    for (size_t i = 0; i < table->count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = !strcmp(table->rows[j].system, table->rows[i].system);
        if (!seen && wanted-- == 0) return table->rows[i].system;
    }
    return NULL;
}

const char *eval_table_folder(const eval_table *table, const char *system, size_t wanted) {
    for (size_t i = 0; i < table->count; i++) {
        if (!matches(&table->rows[i], system, NULL)) continue;
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = matches(&table->rows[j], system, table->rows[i].folder);
        if (!seen && wanted-- == 0) return table->rows[i].folder;
    }
    return NULL;
}

/* ---- text --------------------------------------------------------------------------------- */

/* Columns of the lines for single files; the rest is in CSV and JSON. */
static const eval_score COLUMNS[] = {EVAL_MCD,         EVAL_STFT,  EVAL_F0,   EVAL_VOICING,
                                     EVAL_PERIODICITY, EVAL_ESTOI, EVAL_LEVEL};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof *COLUMNS, NUMBER = 9, MEAN = 22, TITLE = 14 };

static void print_number(FILE *to, double value) {
    if (isfinite(value))
        fprintf(to, " %*.3f", NUMBER - 1, value);
    else
        fprintf(to, " %*s", NUMBER - 1, "-");
}

/* Characters, not bytes, in `width` columns; of a long name the end, which tells more. */
static void print_name(FILE *to, const char *name, int width) {
    int letters = 0;
    for (const char *c = name; *c; c++) letters += ((unsigned char)*c & 0xC0) != 0x80;
    bool cut = letters > width;
    for (; letters > width - cut && *name; letters--) do
            name++;
        while (((unsigned char)*name & 0xC0) == 0x80);
    fprintf(to, "%s%s%*s", cut ? "…" : "", name, width - letters - cut, "");
}

static void print_files(const eval_table *table, FILE *to, const char *system) {
    print_name(to, system, NAME_WIDTH);
    for (int i = 0; i < COLUMN_COUNT; i++)
        fprintf(to, " %*s", NUMBER - 1, eval_score_title(COLUMNS[i]));
    fprintf(to, "\n");
    for (size_t i = 0; i < table->count; i++) {
        const eval_row *row = &table->rows[i];
        if (strcmp(row->system, system)) continue;
        print_name(to, row->name, NAME_WIDTH);
        for (int j = 0; j < COLUMN_COUNT; j++) print_number(to, row->scores.value[COLUMNS[j]]);
        fprintf(to, "%s%s\n", row->remark ? "  " : "", row->remark ? row->remark : "");
    }
    fprintf(to, "\n");
}

/* The last one of a line has no spaces behind it. */
static void print_cell(FILE *to, const char *text, bool last) {
    if (last) {
        fprintf(to, " %s\n", text);
    } else {
        fprintf(to, " ");
        print_name(to, text, MEAN - 1);
    }
}

/* "0.123 ± 0.045" */
static void print_mean(FILE *to, eval_mean mean, bool last) {
    char text[64];
    int digits = fabs(mean.mean) > 0 && fabs(mean.mean) < 0.001 ? 5 : 3;
    if (!isfinite(mean.mean))
        snprintf(text, sizeof text, "-");
    else if (isfinite(mean.interval))
        snprintf(text, sizeof text, "%.*f ± %.*f", digits, mean.mean, digits, mean.interval);
    else
        snprintf(text, sizeof text, "%.*f", digits, mean.mean);
    print_cell(to, text, last);
}

static size_t rows_of(const eval_table *table, const char *system, const char *folder) {
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) count += matches(&table->rows[i], system, folder);
    return count;
}

/* Scores downwards, systems to the right. */
static void print_means(const eval_table *table, FILE *to, const char *folder) {
    const char *system, *first = eval_table_system(table, 0);
    char label[64];
    if (folder) fprintf(to, "\n%s/\n", *folder ? folder : ".");
    print_name(to, "", TITLE);
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++) {
        size_t files = rows_of(table, system, folder);
        snprintf(label, sizeof label, "%.30s%s%zu file%s", system, *system ? ", " : "", files,
                 files == 1 ? "" : "s");
        print_cell(to, label, !eval_table_system(table, s + 1));
    }
    for (int i = 0; i < EVAL_COUNT && first; i++) {
        print_name(to, eval_score_title((eval_score)i), TITLE);
        for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++)
            print_mean(to, eval_table_mean(table, (eval_score)i, system, folder),
                       !eval_table_system(table, s + 1));
    }
    print_name(to, "HF mod. ratio", TITLE);
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++)
        print_mean(to, (eval_mean){eval_table_modulation_ratio(table, system, folder), NAN, 1},
                   !eval_table_system(table, s + 1));
    if (isnan(eval_table_factor(table, NULL, folder))) return;
    print_name(to, "times real", TITLE);
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++)
        print_mean(to, (eval_mean){1 / eval_table_factor(table, system, folder), NAN, 1},
                   !eval_table_system(table, s + 1));
}

void eval_table_print(const eval_table *table, FILE *to, bool every_file) {
    const char *system, *folder;
    if (table->count == 0) return;
    for (size_t s = 0; every_file && (system = eval_table_system(table, s)) != NULL; s++)
        print_files(table, to, system);
    print_means(table, to, NULL);
    const char *first = eval_table_system(table, 0);
    bool several = eval_table_folder(table, first, 1) != NULL;
    for (size_t f = 0; several && (folder = eval_table_folder(table, first, f)) != NULL; f++)
        print_means(table, to, folder);
}

/* ---- CSV, JSON ---------------------------------------------------------------------------- */

/* Quoted where a comma, a quote or a line break is inside (RFC 4180). */
static void print_csv_text(FILE *to, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

void eval_table_print_csv(const eval_table *table, FILE *to) {
    fprintf(to, "system,folder,name,seconds");
    for (int j = 0; j < EVAL_COUNT; j++) fprintf(to, ",%s", eval_score_name((eval_score)j));
    fprintf(to, "\n");
    for (size_t i = 0; i < table->count; i++) {
        const eval_row *row = &table->rows[i];
        print_csv_text(to, row->system);
        fputc(',', to);
        print_csv_text(to, row->folder);
        fputc(',', to);
        print_csv_text(to, row->name);
        fprintf(to, ",%.6g", row->seconds);
        for (int j = 0; j < EVAL_COUNT; j++) {
            double value = row->scores.value[j];
            if (isfinite(value))
                fprintf(to, ",%.9g", value);
            else
                fputc(',', to);
        }
        fputc('\n', to);
    }
}

static void add_means(json_writer *json, yyjson_mut_val *parent, const char *name,
                      const eval_table *table, const char *system, const char *folder) {
    yyjson_mut_val *object = json_add_object(json, parent, name);
    for (int j = 0; j < EVAL_COUNT; j++) {
        eval_mean mean = eval_table_mean(table, (eval_score)j, system, folder);
        yyjson_mut_val *score = json_add_object(json, object, eval_score_name((eval_score)j));
        json_add_number(json, score, "mean", mean.mean);
        json_add_number(json, score, "interval", mean.interval);
        json_add_number(json, score, "files", (double)mean.n);
    }
    json_add_number(json, object, "modulation_ratio",
                    eval_table_modulation_ratio(table, system, folder));
    json_add_number(json, object, "real_time_factor", eval_table_factor(table, system, folder));
}

static void add_system(json_writer *json, yyjson_mut_val *parent, const eval_table *table,
                       const char *system) {
    yyjson_mut_val *object = json_add_object(json, parent, *system ? system : "output");
    const char *folder;
    add_means(json, object, "mean", table, system, NULL);
    yyjson_mut_val *folders = json_add_object(json, object, "folders");
    for (size_t f = 0; (folder = eval_table_folder(table, system, f)) != NULL; f++)
        add_means(json, folders, folder, table, system, folder);
    yyjson_mut_val *files = json_add_array(json, object, "files");
    for (size_t i = 0; i < table->count; i++) {
        const eval_row *row = &table->rows[i];
        if (strcmp(row->system, system)) continue;
        yyjson_mut_val *file = json_add_object(json, files, NULL);
        json_add_text(json, file, "folder", row->folder);
        json_add_text(json, file, "name", row->name);
        json_add_number(json, file, "seconds", row->seconds);
        for (int j = 0; j < EVAL_COUNT; j++)
            json_add_number(json, file, eval_score_name((eval_score)j), row->scores.value[j]);
        if (row->remark) json_add_text(json, file, "remark", row->remark);
    }
}

bool eval_table_print_json(const eval_table *table, FILE *to) {
    json_writer json = json_writer_new();
    const char *system;
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++)
        add_system(&json, json.root, table, system);
    char *text = json_writer_end(&json, true);
    if (!text) return false;
    fprintf(to, "%s\n", text);
    base_free(text);
    return true;
}
