/* The page and the list that go with a trace. */
#include "cli/trace_page.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/page.h"
#include "io/json.h"
#include "mel/low_band.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRIP_MOST = 8 /* pictures of the forward process */ };

/* ---- numbers ------------------------------------------------------------------------------ */

/* Three digits, and no -0.000. */
static double rounded(double value) {
    double r = round(value * 1000) / 1000;
    return r == 0 ? 0 : r;
}

/* " + 0.500·NAME", "0.500·NAME", nothing for 0. */
static void add_term(page *p, bool *first, double factor, const char *name) {
    double r = rounded(factor);
    if (r == 0) return;
    const char *sign = *first ? (r < 0 ? "−" : "") : r < 0 ? " − " : " + ";
    page_add(p, "%s%.3f·%s", sign, fabs(r), name);
    *first = false;
}

static void add_sum(page *p, double f1, const char *n1, double f2, const char *n2, double f3,
                    const char *n3) {
    bool first = true;
    add_term(p, &first, f1, n1);
    add_term(p, &first, f2, n2);
    add_term(p, &first, f3, n3);
    if (first) page_add_raw(p, "0");
}

/* ---- drawings ----------------------------------------------------------------------------- */

static float peak(const float *samples, size_t count) {
    float most = 0;
    for (size_t i = 0; i < count; i++) most = fmaxf(most, fabsf(samples[i]));
    return most;
}

static void add_wave(page *p, const float *samples, size_t count, float height, const char *ink) {
    page_add(p,
             "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" "
             "vector-effect=\"non-scaling-stroke\" points=\"",
             ink);
    for (size_t i = 0; i < count; i++)
        page_add(p, "%.1f,%.1f ", 400.0 * (double)i / (double)count,
                 60.0 - 56.0 * fminf(fmaxf(samples[i] / height, -1.05f), 1.05f));
    page_add_raw(p, "\"/>\n");
}

/* One moment of a signal, large, on the output's scale; `under` (or NULL) behind it in grey. */
static void add_moment(page *p, const trace_story *story, const float *samples, const float *under,
                       const char *words) {
    float height = fmaxf(peak(story->output, story->moment) * 1.25f, 1e-6f);
    page_add(p,
             "<svg viewBox=\"0 0 400 120\" width=\"100%%\" role=\"img\" aria-label=\"%s\">"
             "<rect width=\"400\" height=\"120\" fill=\"#f4f4f6\"/>"
             "<line x1=\"0\" x2=\"400\" y1=\"60\" y2=\"60\" stroke=\"#ccc\"/>\n",
             words);
    if (under) add_wave(p, under, story->moment, height, "#b8b8c4");
    add_wave(p, samples, story->moment, height, "#a3195b");
    page_add_raw(p, "</svg>\n");
}

static double time_place(const diffusion_schedule *schedule, double t) {
    double last = schedule->kind == DIFFUSION_BETAS ? schedule->training_steps - 1 : 1;
    double part = last > 0 ? t / last : 0;
    return 40 + 440 * (schedule->kind == DIFFUSION_BETAS ? 1 - part : part);
}

static void add_level_curve(page *p, const diffusion_schedule *schedule, bool noise,
                            const char *ink) {
    double last = schedule->kind == DIFFUSION_BETAS ? schedule->training_steps - 1 : 1;
    page_add(p, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", ink);
    for (int i = 0; i <= 100; i++) {
        double t = last * i / 100;
        diffusion_levels levels = diffusion_schedule_levels(schedule, t);
        page_add(p, "%.1f,%.1f ", time_place(schedule, t),
                 170 - 150 * (noise ? levels.s : levels.a));
    }
    page_add_raw(p, "\"/>\n");
}

/* Both levels over the time, from noise to speech, with the steps that were taken. */
static void add_schedule(page *p, const trace_story *story) {
    const diffusion_schedule *schedule = &story->config->schedule;
    page_add_raw(p, "<svg viewBox=\"0 0 520 205\" style=\"max-width: 40rem\" width=\"100%\" "
                    "role=\"img\" aria-label=\"the schedule\" font-size=\"13\">\n"
                    "<path d=\"M40 20V170H480\" fill=\"none\" stroke=\"#444\"/>\n"
                    "<text x=\"30\" y=\"24\" text-anchor=\"end\">1</text>"
                    "<text x=\"30\" y=\"174\" text-anchor=\"end\">0</text>"
                    "<text x=\"40\" y=\"192\">noise</text>"
                    "<text x=\"480\" y=\"192\" text-anchor=\"end\">speech</text>\n");
    add_level_curve(p, schedule, false, "#1b62a5");
    add_level_curve(p, schedule, true, "#c3541a");
    for (int i = 0; i < story->plan->count; i++) {
        const trace_row *row = &story->rows[i];
        double x = time_place(schedule, row->time);
        page_add(p,
                 "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#1b62a5\"/>"
                 "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#c3541a\"/>\n",
                 x, 170 - 150 * row->levels.a, x, 170 - 150 * row->levels.s);
    }
    page_add_raw(p, "<text x=\"488\" y=\"24\" fill=\"#1b62a5\">a</text>"
                    "<text x=\"488\" y=\"172\" fill=\"#c3541a\">s</text>\n</svg>\n");
}

/* ---- words -------------------------------------------------------------------------------- */

static const char *schedule_words(diffusion_schedule_kind kind) {
    switch (kind) {
    case DIFFUSION_BETAS:
        return "a = √ᾱ<sub>t</sub>, s = √(1−ᾱ<sub>t</sub>) with ᾱ<sub>t</sub> = "
               "Π(1−β<sub>i</sub>): "
               "noise is added in small steps of variance β, whose sum is one mixture again (Ho, "
               "Jain &amp; Abbeel 2020, eq. 4)";
    case DIFFUSION_ANGLE:
        return "a = sin φ, s = cos φ, φ = t·90°: speech and noise are two directions, and x turns "
               "from one into the other (Salimans &amp; Ho 2022)";
    default:
        return "a = t, s = 1 − t: a straight line from noise to speech (Lipman et al. 2023)";
    }
}

static const char *objective_words(diffusion_objective objective) {
    switch (objective) {
    case DIFFUSION_NOISE:
        return "u = ε: it is asked for the noise (Ho et al. 2020, eq. 14)";
    case DIFFUSION_V:
        return "u = s·speech − a·ε: it is asked for speech where there is noise and for noise "
               "where "
               "there is speech (Salimans &amp; Ho 2022)";
    case DIFFUSION_FLOW:
        return "u = speech − ε: it is asked for the direction of the line (Lipman et al. 2023)";
    default:
        return "u = speech";
    }
}

static void add_sampler(page *p, const lull_options *options) {
    page_add(p, "<p>The sampler is <code>%s</code>: ", diffusion_sampler_name(options->sampler));
    if (options->sampler == LULL_SAMPLER_EULER || options->sampler == LULL_SAMPLER_HEUN)
        page_add_raw(p, "it follows the direction that the network gives, without any new noise.");
    else if (options->sampler == LULL_SAMPLER_DDIM && options->eta <= 0)
        page_add_raw(p,
                     "all of the noise that the network found is kept, only less of it is mixed "
                     "in; no noise is drawn after the start (η = 0; Song, Meng &amp; Ermon 2021, "
                     "eq. 12).");
    else if (options->sampler == LULL_SAMPLER_DDIM && options->eta >= 1)
        page_add_raw(p, "at every step all noise is forgotten and drawn afresh (η = 1; Song, Meng "
                        "&amp; Ermon 2021, eq. 12), so errors of one step are not carried on.");
    else if (options->sampler == LULL_SAMPLER_DDIM)
        page_add(p,
                 "a part of the noise is kept and a part drawn afresh (η = %.2g; Song, Meng "
                 "&amp; Ermon 2021, eq. 12).",
                 (double)options->eta);
    else
        page_add_raw(p, "each step undoes one of the forward process and draws a little noise "
                        "afresh (Ho et al. 2020, algorithm 2).");
    page_add_raw(p, "</p>\n");
}

/* ---- the parts of the page ---------------------------------------------------------------- */

static void add_figure(page *p, const char *name, const char *caption, bool player) {
    page_add(p, "<figure><figcaption>%s</figcaption><img src=\"%s.png\" alt=\"spectrogram: %s\">",
             caption, name, caption);
    if (player) page_add(p, "<audio controls preload=\"none\" src=\"%s.wav\"></audio>", name);
    page_add_raw(p, "</figure>\n");
}

/* From the end result to noise, a few of the steps where there are many. */
static void add_forward(page *p, const trace_story *story) {
    char name[64], caption[128];
    int count = story->plan->count, shown = count < STRIP_MOST ? count : STRIP_MOST, last = -1;
    page_add_raw(p,
                 "<h2>1. Forward: speech becomes noise</h2>\n"
                 "<p>Speech and white noise ε are mixed, <b>x = a·speech + s·ε</b>. Nothing is "
                 "learned for that and no network is needed: in training a moment t is drawn and "
                 "speech is mixed with noise for that moment.</p>\n<p>");
    page_add_raw(p, schedule_words(story->config->schedule.kind));
    page_add_raw(p, ". Dots: the moments that the steps below look at.</p>\n");
    add_schedule(p, story);
    page_add_raw(p, "<div class=\"row\">\n");
    snprintf(name, sizeof name, "step-%02d-x", count);
    add_figure(p, name, "speech: a = 1, s = 0", true);
    for (int i = 0; i < shown; i++) {
        int step = count - 1 - (shown > 1 ? i * (count - 1) / (shown - 1) : 0);
        if (step == last) continue;
        last = step;
        snprintf(name, sizeof name, "step-%02d-forward", step);
        snprintf(caption, sizeof caption, "a = %.3f, s = %.3f", rounded(story->rows[step].levels.a),
                 rounded(story->rows[step].levels.s));
        add_figure(p, name, caption, true);
    }
    page_add_raw(p, "</div>\n");
}

static void add_question(page *p, const trace_story *story) {
    page_add_raw(p,
                 "<h2>2. What the network learns</h2>\n<p>It is shown the mixture x, the moment t "
                 "and the mel spectrogram, and predicts ");
    page_add_raw(p, objective_words(story->config->objective));
    page_add_raw(p,
                 ". Its training loss is the mean squared error of that. x and u are two "
                 "equations for two unknowns, so x and the answer u give back what it believes is "
                 "speech, <b>x̂0</b>, and what it believes is noise, <b>ε̂</b>. What it says is the "
                 "<em>mean</em> of all the speech that could hide in x: sharp where little noise "
                 "is left to guess about, dull where there is nothing but noise. Hence several "
                 "steps.</p>\n");
}

static void add_summary(page *p, const trace_story *story) {
    page_add_raw(p, "<div class=\"wide\"><table><tr><th>step</th><th>t</th><th>speech a</th>"
                    "<th>noise s</th><th>belief x̂0 agrees with the end result to</th></tr>\n");
    for (int i = 0; i < story->plan->count; i++) {
        const trace_row *row = &story->rows[i];
        page_add(p,
                 "<tr><td><a href=\"#step-%d\">%d</a></td><td>%.3f</td><td>%.3f</td><td>%.3f</td>"
                 "<td>",
                 i, i + 1, row->time, rounded(row->levels.a), rounded(row->levels.s));
        if (row->agreement_db < 100)
            page_add(p, "%.1f dB</td></tr>\n", row->agreement_db);
        else
            page_add_raw(p, "it is the end result</td></tr>\n");
    }
    page_add_raw(p, "</table></div>\n");
}

/* The formulas of one step, with the numbers of the plan that the engine ran. */
static void add_arithmetic(page *p, const trace_story *story, int step) {
    const trace_row *row = &story->rows[step], *next = &story->rows[step + 1];
    const diffusion_stage *stage = row->stage;
    double a = row->levels.a, s = row->levels.s, x0_x, x0_u, eps_x, eps_u, p_x0, p_eps;
    diffusion_target(story->config->objective, row->levels, &p_x0, &p_eps);
    diffusion_recover(story->config->objective, row->levels, &x0_x, &x0_u, &eps_x, &eps_u);
    page_add_raw(p, "<pre>given    x  = ");
    add_sum(p, a, "speech", s, "noise", 0, "");
    page_add_raw(p, "\nanswer   u ≈ ");
    add_sum(p, p_x0, "speech", p_eps, "noise", 0, "");
    page_add_raw(p, "\nbelief   x̂0 = ");
    add_sum(p, x0_x, "x", x0_u, "u", 0, "");
    page_add_raw(p, "\n         ε̂  = ");
    add_sum(p, eps_x, "x", eps_u, "u", 0, "");
    if (!story->plan->carry) {
        page_add_raw(p, "\nnext     x  ← ");
        add_sum(p, stage->x_x * a + stage->x_u * p_x0, "x̂0", stage->x_x * s + stage->x_u * p_eps,
                "ε̂", stage->x_noise, "fresh noise");
        page_add(p, "      (a = %.3f, s = %.3f)", rounded(next->levels.a), rounded(next->levels.s));
    }
    page_add_raw(p, "\nas run   x  ← ");
    bool first = true;
    add_term(p, &first, stage->x_x, "x");
    add_term(p, &first, stage->x_u, "u");
    add_term(p, &first, stage->x_carry, "carry");
    add_term(p, &first, stage->x_noise, "fresh noise");
    if (stage->clamp > 0) page_add(p, ", held within ±%g", (double)stage->clamp);
    if (story->plan->carry) {
        page_add_raw(p, "\n         carry ← ");
        add_sum(p, stage->carry_x, "x", stage->carry_u, "u", 0, "");
    }
    page_add_raw(p, "</pre>\n");
}

static void add_step(page *p, const trace_story *story, int step) {
    char name[64];
    const trace_row *row = &story->rows[step];
    page_add(p, "<section id=\"step-%d\">\n<h3>Step %d of %d, t = %.4g</h3>\n<div class=\"row\">\n",
             step, step + 1, story->plan->count, row->time);
    snprintf(name, sizeof name, "step-%02d-x", step);
    add_figure(p, name, "x: what the network is given", true);
    snprintf(name, sizeof name, "step-%02d-x0", step);
    add_figure(p, name, "x̂0: the speech it believes in", true);
    page_add(p, "<figure><figcaption>the moment at %.2f s: x, and below x̂0</figcaption>\n",
             story->moment_seconds);
    add_moment(p, story, row->x, NULL, "x at one moment");
    add_moment(p, story, row->x0, story->output, "x0 at one moment, over the output");
    page_add_raw(p, "</figure>\n</div>\n");
    add_arithmetic(p, story, step);
    page_add_raw(p, "</section>\n");
}

static void add_reverse(page *p, const trace_story *story) {
    page_add_raw(p, "<h2>3. Reverse: noise becomes speech</h2>\n<p>It begins with noise alone. At "
                    "every step the network says what in x is speech and what is noise, and from "
                    "these a new, less noisy mixture is made: the levels a and s of the next "
                    "step.</p>\n");
    add_sampler(p, story->options);
    if (story->config->whitened)
        page_add_raw(p,
                     "<p>This model works on <em>whitened</em> signals: the mel says how loud "
                     "every frequency is, so that is divided out, and what is left to find is the "
                     "fine structure. For these recordings and pictures the loudness was put "
                     "back; so even the noise of step 1 has the outlines of speech. Watch the "
                     "harmonics (the lines) come.</p>\n");
    add_summary(p, story);
    for (int i = 0; i < story->plan->count; i++) add_step(p, story, i);
}

static void add_end(page *p, const trace_story *story) {
    char name[64];
    const lull_options *options = story->options;
    snprintf(name, sizeof name, "step-%02d-x", story->plan->count);
    page_add_raw(p, "<h2>4. The end</h2>\n<p>");
    if (options->refine > 0)
        page_add(
            p,
            "What sampling ended with is analysed again, and where its mel differs from the one "
            "that was asked for, smooth gains correct it, phases kept: %d time%s for each frame "
            "(refinement by mel consistency, <code>--refine</code>). ",
            options->refine, options->refine == 1 ? "" : "s");
    if (options->refine_low > 0)
        page_add(p,
                 "Below %.2f kHz, where it costs little, %d time%s (<code>--refine-low</code>). ",
                 mel_low_band_edge(&story->config->mel) / 1000, options->refine_low,
                 options->refine_low == 1 ? "" : "s");
    page_add_raw(p, "A limiter keeps samples within ±1.</p>\n<div class=\"row\">\n");
    add_figure(p, name, "what sampling ended with", true);
    add_figure(p, "output", "what lull wrote", true);
    page_add(p, "<figure><figcaption>the moment at %.2f s: before, and below after</figcaption>\n",
             story->moment_seconds);
    add_moment(p, story, story->rows[story->plan->count].x, NULL, "the end of sampling");
    add_moment(p, story, story->output, NULL, "the output");
    page_add_raw(p,
                 "</figure>\n</div>\n"
                 "<p>The formulas are a few lines each: <code>src/diffusion/schedule.c</code> (a "
                 "and s), <code>objective.c</code> (u, x̂0, ε̂), <code>sampler.c</code> (the next "
                 "x); <code>docs/how-diffusion-works.md</code> goes through them. The numbers "
                 "above are those that <code>src/vocoder</code> ran.</p>\n");
}

static lull_status write_in(page *p, const char *folder, const char *name, lull_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
        return page_write(p, path, error);
    page_free(p);
    return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
}

lull_status trace_page_write(const char *folder, const trace_story *story, lull_error *error) {
    page p = {NULL, 0, 0, false};
    char title[512];
    snprintf(title, sizeof title, "From noise to speech: %.400s", story->title);
    page_begin(&p, title);
    page_add_raw(&p, "<p>How a diffusion model makes speech, seen and heard inside a run of lull: "
                     "model <code>");
    page_add_escaped(&p, story->config->name);
    page_add(&p, "</code>, %d network evaluation%s, seed %llu.</p>\n", story->plan->count,
             story->plan->count == 1 ? "" : "s", (unsigned long long)story->options->seed);
    add_forward(&p, story);
    add_question(&p, story);
    add_reverse(&p, story);
    add_end(&p, story);
    return write_in(&p, folder, "index.html", error);
}

lull_status trace_contents_write(const char *folder, const char *const *names, size_t count,
                                 lull_error *error) {
    page p = {NULL, 0, 0, false};
    page_begin(&p, "From noise to speech");
    page_add_raw(&p, "<ul>\n");
    for (size_t i = 0; i < count; i++) {
        page_add_raw(&p, "<li><a href=\"");
        page_add_address(&p, names[i]);
        page_add_raw(&p, "/index.html\">");
        page_add_escaped(&p, names[i]);
        page_add_raw(&p, "</a></li>\n");
    }
    page_add_raw(&p, "</ul>\n");
    return write_in(&p, folder, "index.html", error);
}

/* ---- the list ----------------------------------------------------------------------------- */

static void add_stage(json_writer *json, yyjson_mut_val *step, const diffusion_stage *stage,
                      bool carry) {
    yyjson_mut_val *next = json_add_object(json, step, "next");
    json_add_number(json, next, "x", (double)stage->x_x);
    json_add_number(json, next, "u", (double)stage->x_u);
    json_add_number(json, next, "noise", (double)stage->x_noise);
    if (carry) {
        json_add_number(json, next, "carry", (double)stage->x_carry);
        json_add_number(json, next, "carry_x", (double)stage->carry_x);
        json_add_number(json, next, "carry_u", (double)stage->carry_u);
    }
    if (stage->clamp > 0) json_add_number(json, next, "clamp", (double)stage->clamp);
}

static void add_row(json_writer *json, yyjson_mut_val *steps, const trace_story *story, int i) {
    static const char *const kinds[] = {"x", "x0", "forward"};
    const trace_row *row = &story->rows[i];
    yyjson_mut_val *step = json_add_object(json, steps, NULL);
    if (row->stage) {
        json_add_number(json, step, "time", row->time);
        json_add_number(json, step, "speech_level", row->levels.a);
        json_add_number(json, step, "noise_level", row->levels.s);
        json_add_number(json, step, "agreement_db", row->agreement_db);
        add_stage(json, step, row->stage, story->plan->carry);
    }
    for (int k = 0; k < (row->stage ? 3 : 1); k++) {
        char name[64];
        snprintf(name, sizeof name, "step-%02d-%s.wav", i, kinds[k]);
        json_add_text(json, step, kinds[k], name);
    }
}

static char *print_list(const trace_story *story) {
    json_writer json = json_writer_new();
    json_add_text(&json, json.root, "model", story->config->name);
    json_add_text(&json, json.root, "objective",
                  diffusion_objective_name(story->config->objective));
    json_add_text(&json, json.root, "sampler", diffusion_sampler_name(story->options->sampler));
    json_add_whole(&json, json.root, "seed", story->options->seed);
    yyjson_mut_val *steps = json_add_array(&json, json.root, "steps");
    for (int i = 0; i <= story->plan->count; i++) add_row(&json, steps, story, i);
    json_add_text(&json, json.root, "output", "output.wav");
    return json_writer_end(&json, true);
}

lull_status trace_list_write(const char *folder, const trace_story *story, lull_error *error) {
    char path[PATH_MAX];
    atomic_file *file = NULL;
    char *text = print_list(story);
    if (!text) return base_no_memory(error);
    snprintf(path, sizeof path, "%s/steps.json", folder);
    lull_status status = atomic_file_open(path, &file, error);
    if (status == LULL_OK) {
        status = atomic_file_write(file, text, strlen(text), error);
        if (status == LULL_OK)
            status = atomic_file_commit(file, error);
        else
            atomic_file_abandon(file);
    }
    base_free(text);
    return status;
}
