/* lull eval --html: see eval_page.h. */
#include "cli/eval_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/page.h"
#include "eval/pitch.h"
#include "picture/picture.h"

enum { LONGEST = 15 /* seconds of a file that are shown */, WIDTH = 652, HEIGHT = 200 };

struct cli_eval_page {
    page files;      /* the sections so far */
    int left;        /* files that may still be shown */
    char *shown;     /* folder/name of the section at the end of files, or NULL */
    double top_db;   /* of its pictures */
    picture_f0 f0;   /* of its reference; the values are the page's */
    size_t sections; /* so far */
};

lull_status cli_eval_page_new(int files, cli_eval_page **made, lull_error *error) {
    cli_eval_page *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->left = files;
    *made = p;
    return LULL_OK;
}

void cli_eval_page_free(cli_eval_page *p) {
    if (!p) return;
    page_free(&p->files);
    base_free(p->shown);
    base_free((void *)p->f0.hz);
    base_free(p);
}

/* ---- one file ----------------------------------------------------------------------------- */

typedef struct pair {
    const float *reference, *output;
    size_t count;
    int rate;
} pair;

static picture_source source_of(const float *samples, const pair *signals, const picture_f0 *f0) {
    return (picture_source){
        .title = "", .samples = samples, .count = signals->count, .rate = signals->rate, .f0 = f0};
}

/* The pitch that the scores of pitch are about, decisions of voicing included. Replaces *f0. */
static lull_status follow(const float *samples, const pair *signals, picture_f0 *f0,
                          lull_error *error) {
    eval_pitch_frame *frames = NULL;
    size_t n = 0;
    base_free((void *)f0->hz);
    *f0 = (picture_f0){0};
    lull_status status =
        eval_pitch_track(samples, signals->count, signals->rate, &frames, &n, error);
    if (status != LULL_OK) return status;
    float *hz = base_alloc(n, sizeof *hz);
    for (size_t i = 0; hz && i < n; i++) hz[i] = (float)frames[i].f0;
    base_free(frames);
    if (!hz) return base_no_memory(error);
    f0->hz = hz;
    f0->count = n;
    eval_pitch_times(signals->rate, &f0->first, &f0->step);
    return LULL_OK;
}

static lull_status add_picture(cli_eval_page *p, const picture_source *sources, int count,
                               const char *words, lull_error *error) {
    const picture_options options = {.width = WIDTH,
                                     .panel_height = HEIGHT,
                                     .difference = count == 2,
                                     .only_difference = true,
                                     .top_db = &p->top_db};
    picture_canvas c;
    lull_status status = picture_draw(sources, count, &options, &c, error);
    if (status != LULL_OK) return status;
    page_add(&p->files, "<img alt=\"%s\" width=\"%d\" height=\"%d\" src=\"", words, c.width,
             c.height);
    page_add_picture(&p->files, &c);
    page_add_raw(&p->files, "\">\n");
    picture_canvas_free(&c);
    return LULL_OK;
}

static void add_player(cli_eval_page *p, const float *samples, const pair *signals) {
    page_add_raw(&p->files, "<audio controls preload=\"metadata\" src=\"");
    page_add_recording(&p->files, samples, signals->count, signals->rate);
    page_add_raw(&p->files, "\"></audio>\n");
}

static void end_section(cli_eval_page *p) {
    if (p->shown) page_add_raw(&p->files, "</div>\n</section>\n");
    base_free(p->shown);
    p->shown = NULL;
}

static void add_score(cli_eval_page *p, const char *before, const char *title, double value) {
    page_add(&p->files, "%s%s ", before, title);
    if (isfinite(value))
        page_add(&p->files, "%.3g", value);
    else
        page_add_raw(&p->files, "–");
}

static void add_scores(cli_eval_page *p, const eval_row *row) {
    static const eval_score SHOWN[] = {EVAL_MCD,     EVAL_STFT,  EVAL_F0,        EVAL_F0_GROSS,
                                       EVAL_VOICING, EVAL_ESTOI, EVAL_MODULATION};
    page_add_raw(&p->files, "<div class=\"quiet\">");
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        add_score(p, i ? " · " : "", eval_score_title(SHOWN[i]), row->scores.value[SHOWN[i]]);
    add_score(p, " (reference", "", row->scores.value[EVAL_MODULATION_REFERENCE]);
    page_add_raw(&p->files, ")</div>\n");
}

static lull_status begin_section(cli_eval_page *p, const eval_row *row, const char *key,
                                 const pair *signals, lull_error *error) {
    picture_source reference = source_of(signals->reference, signals, &p->f0);
    const picture_options options = {.width = WIDTH, .panel_height = HEIGHT};
    end_section(p);
    p->shown = base_strdup(key);
    if (!p->shown) return base_no_memory(error);
    p->left--;
    lull_status status = picture_top(&reference, 1, &options, &p->top_db, error);
    if (status == LULL_OK) status = follow(signals->reference, signals, &p->f0, error);
    if (status != LULL_OK) return status;
    page_add(&p->files, "<section id=\"file-%zu\">\n<h3>", ++p->sections);
    page_add_escaped(&p->files, key);
    page_add_raw(&p->files, "</h3>\n");
    if (row->remark) {
        page_add_raw(&p->files, "<p>");
        page_add_escaped(&p->files, row->remark);
        page_add_raw(&p->files, ".</p>\n");
    }
    if (row->seconds > LONGEST)
        page_add(&p->files, "<p>The first %d of %.1f s are shown.</p>\n", LONGEST, row->seconds);
    page_add_raw(&p->files, "<div class=\"row\">\n<figure><figcaption>reference</figcaption>\n");
    status = add_picture(p, &reference, 1, "spectrogram and F0 of the reference", error);
    add_player(p, signals->reference, signals);
    add_score(p, "<div class=\"quiet\">", eval_score_title(EVAL_MODULATION),
              row->scores.value[EVAL_MODULATION_REFERENCE]);
    page_add_raw(&p->files, "</div>\n</figure>\n");
    return status;
}

static lull_status add_output(cli_eval_page *p, const eval_row *row, const pair *signals,
                              const picture_f0 *f0, lull_error *error) {
    const picture_source both[2] = {source_of(signals->reference, signals, &p->f0),
                                    source_of(signals->output, signals, f0)};
    const char *system = row->system && *row->system ? row->system : "output";
    page_add_raw(&p->files, "<figure><figcaption>");
    page_add_escaped(&p->files, system);
    page_add_raw(&p->files, "</figcaption>\n");
    lull_status status = add_picture(p, &both[1], 1, "spectrogram and F0 of the output", error);
    if (status != LULL_OK) return status;
    add_player(p, signals->output, signals);
    add_scores(p, row);
    page_add_raw(&p->files, "<div>");
    page_add_escaped(&p->files, system);
    page_add_raw(&p->files, " minus reference, F0 of both (black: reference):</div>\n");
    status = add_picture(p, both, 2, "difference of the spectrograms, F0 of both", error);
    page_add_raw(&p->files, "</figure>\n");
    return status;
}

lull_status cli_eval_page_add(cli_eval_page *p, const eval_row *row, const float *reference,
                              const float *output, size_t count, int rate, lull_error *error) {
    char key[1024];
    pair signals = {reference, output, count, rate};
    if (signals.count > (size_t)LONGEST * (size_t)rate)
        signals.count = (size_t)LONGEST * (size_t)rate;
    snprintf(key, sizeof key, "%s%s%s", row->folder ? row->folder : "",
             row->folder && *row->folder ? "/" : "", row->name ? row->name : "");
    bool same = p->shown && !strcmp(p->shown, key);
    if (!same && p->left == 0) {
        end_section(p);
        return LULL_OK;
    }
    lull_status status = same ? LULL_OK : begin_section(p, row, key, &signals, error);
    if (status != LULL_OK) return status;
    picture_f0 f0 = {0};
    status = follow(output, &signals, &f0, error);
    if (status == LULL_OK) status = add_output(p, row, &signals, &f0, error);
    base_free((void *)f0.hz);
    return status;
}

/* ---- tables ------------------------------------------------------------------------------- */

static void add_value(page *t, double value, double interval, bool best) {
    if (!isfinite(value)) {
        page_add_raw(t, "<td class=\"quiet\">–</td>");
        return;
    }
    int digits = fabs(value) > 0 && fabs(value) < 0.001 ? 5 : 3;
    page_add(t, "<td%s>%.*f", best ? " class=\"best\"" : "", digits, value);
    if (isfinite(interval)) page_add(t, " <span class=\"quiet\">± %.*f</span>", digits, interval);
    page_add_raw(t, "</td>");
}

/* The system whose mean is best; NULL where there is none, or nothing to choose from. The best HF
 * modulation is the one nearest to the reference's, not the highest. */
static const char *best_system(const eval_table *table, eval_score score, const char *folder) {
    const char *system, *best = NULL;
    double value = 0, worst = INFINITY;
    if (!eval_table_system(table, 1) || score == EVAL_MODULATION_REFERENCE) return NULL;
    if (score == EVAL_MODULATION) score = EVAL_MODULATION_ERROR;
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++) {
        double mean = eval_table_mean(table, score, system, folder).mean;
        double worth = eval_score_higher_is_better(score) ? mean : -fabs(mean);
        if (!isfinite(mean)) continue;
        if (!best || worth > value) best = system, value = worth;
        worst = fmin(worst, worth);
    }
    return value > worst ? best : NULL;
}

/* Scores downwards, systems to the right. */
static void add_means(page *t, const eval_table *table, const char *folder) {
    const char *system;
    page_add_raw(t, "<div class=\"wide\"><table>\n<tr><th>score</th>");
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++) {
        page_add_raw(t, "<th>");
        page_add_escaped(t, *system ? system : "mean");
        page_add_raw(t, "</th>");
    }
    page_add_raw(t, "<th style=\"text-align: left\">what it is</th></tr>\n");
    for (int i = 0; i < EVAL_COUNT; i++) {
        eval_score score = (eval_score)i;
        const char *best = best_system(table, score, folder);
        page_add(t, "<tr><td>%s</td>", eval_score_title(score));
        for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++) {
            eval_mean mean = eval_table_mean(table, score, system, folder);
            add_value(t, mean.mean, mean.interval, best && !strcmp(best, system));
        }
        page_add_raw(t, "<td style=\"text-align: left\" class=\"quiet\">");
        page_add_escaped(t, eval_score_about(score));
        page_add_raw(t, "</td></tr>\n");
    }
    page_add_raw(t, "<tr><td>HF mod. ratio</td>");
    for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++)
        add_value(t, eval_table_modulation_ratio(table, system, folder), NAN, false);
    page_add_raw(t,
                 "<td style=\"text-align: left\" class=\"quiet\">the mean HF modulation over the "
                 "references': 0.85 to 1.1 is near</td></tr>\n");
    bool timed = isfinite(eval_table_factor(table, NULL, folder));
    if (timed) page_add_raw(t, "<tr><td>real-time factor</td>");
    for (size_t s = 0; timed && (system = eval_table_system(table, s)) != NULL; s++)
        add_value(t, eval_table_factor(table, system, folder), NAN, false);
    if (timed)
        page_add_raw(t, "<td style=\"text-align: left\" class=\"quiet\">seconds of work for a "
                        "second of sound, on this machine</td></tr>\n");
    page_add_raw(t, "</table></div>\n");
}

static void add_cell(page *t, const char *text) {
    page_add_raw(t, "<td style=\"text-align: left\">");
    page_add_escaped(t, text);
    page_add_raw(t, "</td>");
}

/* One line a voice (a folder is one) and system: what is said of its pitch and its pulses. */
static void add_voices(page *t, const eval_table *table) {
    static const eval_score SHOWN[] = {EVAL_F0, EVAL_F0_GROSS, EVAL_VOICING,
                                       EVAL_MODULATION_REFERENCE, EVAL_MODULATION};
    const char *folder, *system, *first = eval_table_system(table, 0);
    page_add_raw(t, "<h2>Voices</h2>\n<p>Means over the files of each folder.</p>\n"
                    "<div class=\"wide\"><table id=\"voices\">\n<tr><th>folder</th>"
                    "<th style=\"text-align: left\">system</th>");
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        page_add(t, "<th>%s</th>", eval_score_title(SHOWN[i]));
    page_add_raw(t, "<th>HF mod. ratio</th></tr>\n");
    for (size_t f = 0; (folder = eval_table_folder(table, first, f)) != NULL; f++)
        for (size_t s = 0; (system = eval_table_system(table, s)) != NULL; s++) {
            page_add_raw(t, "<tr>");
            add_cell(t, s ? "" : *folder ? folder : ".");
            add_cell(t, *system ? system : "output");
            for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++) {
                const eval_mean mean = eval_table_mean(table, SHOWN[i], system, folder);
                add_value(t, mean.mean, mean.interval, false);
            }
            add_value(t, eval_table_modulation_ratio(table, system, folder), NAN, false);
            page_add_raw(t, "</tr>\n");
        }
    page_add_raw(t, "</table></div>\n");
}

static void add_rows(page *t, const eval_table *table) {
    bool systems = eval_table_system(table, 1) != NULL;
    page_add_raw(t, "<div class=\"wide\"><table id=\"files\">\n<thead><tr><th>file</th>");
    if (systems) page_add_raw(t, "<th>system</th>");
    for (int i = 0; i < EVAL_COUNT; i++)
        page_add(t, "<th>%s</th>", eval_score_title((eval_score)i));
    page_add_raw(t, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < table->count; r++) {
        const eval_row *row = &table->rows[r];
        page_add_raw(t, "<tr><td>");
        page_add_escaped(t, row->folder);
        if (*row->folder) page_add_raw(t, "/");
        page_add_escaped(t, row->name);
        page_add_raw(t, "</td>");
        if (systems) add_cell(t, row->system);
        for (int i = 0; i < EVAL_COUNT; i++) add_value(t, row->scores.value[i], NAN, false);
        page_add_raw(t, "</tr>\n");
    }
    page_add_raw(t, "</tbody></table></div>\n");
}

/* Clicking a heading sorts by it, clicking again the other way round; what has no value is last. */
static const char SORTING[] =
    "<script>\n"
    "const table = document.getElementById('files'), body = table.tBodies[0];\n"
    "let sorted = -1, up = true;\n"
    "for (const head of table.tHead.rows[0].cells) {\n"
    "  head.style.cursor = 'pointer';\n"
    "  head.onclick = () => {\n"
    "    const at = head.cellIndex;\n"
    "    up = sorted == at ? !up : true, sorted = at;\n"
    "    const value = row => parseFloat(row.cells[at].textContent);\n"
    "    const text = row => row.cells[at].textContent;\n"
    "    const rows = [...body.rows];\n"
    "    const numbers = rows.some(row => !isNaN(value(row)) && head.cellIndex > 0);\n"
    "    rows.sort((a, b) => numbers\n"
    "      ? isNaN(value(a)) - isNaN(value(b)) || (up ? 1 : -1) * (value(a) - value(b))\n"
    "      : (up ? 1 : -1) * text(a).localeCompare(text(b)));\n"
    "    body.append(...rows);\n"
    "  };\n"
    "}\n"
    "</script>\n";

static size_t count_files(const eval_table *table) {
    size_t systems = 0;
    while (eval_table_system(table, systems)) systems++;
    return systems ? table->count / systems : 0;
}

lull_status cli_eval_page_write(cli_eval_page *p, const eval_table *table, const char *title,
                                const char *path, lull_error *error) {
    page t = {NULL, 0, 0, false};
    const char *folder;
    size_t files = count_files(table);
    double seconds = 0;
    for (size_t i = 0; i < table->count; i++) seconds += table->rows[i].seconds;
    end_section(p);
    page_begin(&t, title);
    page_add(&t, "<p>%zu file%s, %.1f s. ", files, files == 1 ? "" : "s",
             files ? seconds * (double)files / (double)table->count : 0);
    page_add_raw(
        &t, "Lower is better, except for ESTOI; level and DC are best at 0, HF modulation at "
            "the reference's. ± is the 95 % interval of the mean. Written by lull eval.</p>\n");
    add_means(&t, table, NULL);
    const char *first = eval_table_system(table, 0);
    if (first && eval_table_folder(table, first, 1)) add_voices(&t, table);
    for (size_t f = 0; first && eval_table_folder(table, first, 1) &&
                       (folder = eval_table_folder(table, first, f)) != NULL;
         f++) {
        page_add_raw(&t, "<h2>");
        page_add_escaped(&t, *folder ? folder : ".");
        page_add_raw(&t, "</h2>\n");
        add_means(&t, table, folder);
    }
    if (p->sections) {
        page_add_raw(&t, "<h2>To hear and see</h2>\n");
        if (p->sections < files)
            page_add(&t, "<p>The first %zu of %zu files.</p>\n", p->sections, files);
        page_add_raw(&t, "<p>The curves are the F0 that is scored, with gaps where a frame is not "
                         "voiced.</p>\n");
        page_add_page(&t, &p->files);
    }
    page_add_raw(&t, "<h2>Every file</h2>\n<p class=\"quiet\">A click on a heading sorts.</p>\n");
    add_rows(&t, table);
    page_add_raw(&t, SORTING);
    return page_write(&t, path, error);
}
