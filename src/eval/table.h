/* Scores of many files: means with their 95 % intervals, by folder and over all, as text, CSV or
 * JSON. */
#ifndef EVAL_TABLE_H
#define EVAL_TABLE_H

#include <stdio.h>

#include "eval/scores.h"

typedef struct eval_row {
    char *system; /* what made the output: "lull", "griffin-lim"; "" when there is only one */
    char *folder; /* "" for the top */
    char *name;
    char *reference, *output; /* paths, or NULL */
    char *remark;             /* rates and lengths reconciled, or NULL */
    double seconds;           /* of audio */
    double work;              /* seconds of synthesis, 0 = not known */
    eval_scores scores;
} eval_row;

typedef struct eval_table {
    eval_row *rows;
    size_t count, capacity;
} eval_table;

/* Adds a row; strings are copied (NULL stays NULL). */
lull_status eval_table_add(eval_table *table, const eval_row *row, lull_error *error);
void eval_table_free(eval_table *table);

typedef struct eval_mean {
    double mean, interval; /* mean ± interval: t·s/√n, Student's t; NaN without enough values */
    size_t n;
} eval_mean;

/* Mean of a score over the rows of a system and folder; NULL = any. */
eval_mean eval_table_mean(const eval_table *table, eval_score score, const char *system,
                          const char *folder);
/* Real-time factor (seconds of work a second of audio), NaN when not known. */
double eval_table_factor(const eval_table *table, const char *system, const char *folder);

/* Mean HF modulation of the outputs over that of the references; NaN when not known. */
double eval_table_modulation_ratio(const eval_table *table, const char *system, const char *folder);

void eval_table_print(const eval_table *table, FILE *to, bool every_file);
void eval_table_print_csv(const eval_table *table, FILE *to);
/* False when memory is out. */
bool eval_table_print_json(const eval_table *table, FILE *to);

/* The distinct systems or folders, in order of appearance: the i-th, or NULL. */
const char *eval_table_system(const eval_table *table, size_t i);
const char *eval_table_folder(const eval_table *table, const char *system, size_t i);

#endif
