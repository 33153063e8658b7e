/* Pictures of recordings and mel spectrograms: see picture.h. */
#include "picture/picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "picture/colour_map.h"
#include "picture/png_file.h"
#include "mel/compression.h"
#include "mel/stft.h"
#include "mel/filterbank.h"

enum {
    LEFT = 98,   /* room for the labels of frequency */
    RIGHT = 108, /* for the scale of levels */
    TITLE = 30,  /* above each panel */
    BOTTOM = 44, /* for the labels of time */
    BAR = 14,    /* width of the scale */
    TICK = 5,
    SMALLEST = 48 /* of a panel's sides */
};

static const picture_colour PAPER = {255, 255, 255}, INK = {40, 40, 40}, NOTHING = {232, 232, 232};
/* The fundamental frequency: on the map of levels, where nothing is green or blue and light; on that
 * of differences, first and second; its axis on paper. */
static const picture_colour F0 = {70, 235, 235}, F0_EDGE = {0, 30, 45}, F0_FIRST = {40, 40, 40},
                            F0_SECOND = {0, 125, 80}, F0_AXIS = {0, 110, 125};
/* Beyond these the difference is as red or blue as it gets. */
static const double DIFFERENCE_DB = 20;

/* Levels in dB of every pixel, NAN where there is nothing; row 0 is the lowest frequency. */
typedef struct panel {
    const picture_source *source;     /* NULL: the difference */
    const mel_convention *convention; /* NULL: recordings */
    const picture_f0 *f0[2];          /* drawn over it; of the difference: of both */
    float *levels;
    int width, height, axis; /* axis: room for that of F0 on its right, 0 in pictures without */
    double seconds;          /* of the whole width */
    double max_hz;           /* recordings */
} panel;

/* ---- levels of recordings ----------------------------------------------------------------- */

typedef struct spectrum {
    mel_stft *stft;
    float *segment, *power;
    double scale; /* of power: a sine of full scale is 0 dB */
} spectrum;

static void spectrum_free(spectrum *s) {
    mel_stft_free(s->stft);
    base_free(s->segment);
    base_free(s->power);
}

static lull_status spectrum_new(int n_fft, spectrum *s, lull_error *error) {
    const mel_stft_grid grid = {.size = n_fft, .window = n_fft, .hop = n_fft};
    *s = (spectrum){.scale = 16.0 / n_fft / n_fft};
    lull_status status = mel_stft_new(&grid, MEL_STFT_FAST, &s->stft, error);
    if (status != LULL_OK) return status;
    s->segment = base_alloc((size_t)n_fft, sizeof(float));
    s->power = base_alloc((size_t)s->stft->bins, sizeof(float));
    return s->segment && s->power ? LULL_OK : base_no_memory(error);
}

/* Adds the power spectrum around sample `centre`. */
static void add_spectrum(spectrum *s, const picture_source *source, double centre) {
    int64_t first = (int64_t)floor(centre) - s->stft->grid.size / 2;
    mel_stft_cut(s->stft, source->samples, source->count, first, false, s->segment);
    mel_stft_analyse(s->stft, s->segment);
    for (int k = 0; k < s->stft->bins; k++) {
        float re = s->stft->spectrum[2 * k], im = s->stft->spectrum[2 * k + 1];
        s->power[k] += re * re + im * im;
    }
}

/* Mean power over the bins low … high; between two bins where the range is narrower than one. */
static double power_between(const spectrum *s, double low, double high) {
    int last = s->stft->bins - 1;
    if (high - low < 1) {
        double at = fmin((low + high) / 2, last);
        int k = (int)at < last ? (int)at : last - 1;
        return s->power[k] + (at - k) * (s->power[k + 1] - s->power[k]);
    }
    double sum = 0;
    int count = 0;
    for (int k = (int)ceil(low); k < high && k <= last; k++, count++) sum += s->power[k];
    return count ? sum / count : 0;
}

static void fill_column(const panel *p, const spectrum *s, int column, int spectra) {
    double rate = p->source->rate, bin = rate / s->stft->grid.size;
    for (int row = 0; row < p->height; row++) {
        double low = p->max_hz * row / p->height, high = p->max_hz * (row + 1) / p->height;
        if (high > rate / 2 * (1 + 1e-9)) break; /* this recording has nothing up there */
        double power = power_between(s, low / bin, high / bin) * s->scale / spectra;
        p->levels[(size_t)row * (size_t)p->width + (size_t)column] =
            (float)(10 * log10(power + 1e-16));
    }
}

static lull_status fill_from_samples(panel *p, int n_fft, lull_error *error) {
    spectrum s;
    const picture_source *source = p->source;
    lull_status status = spectrum_new(n_fft, &s, error);
    for (int column = 0; status == LULL_OK && column < p->width; column++) {
        double samples = p->seconds * source->rate / p->width, first = column * samples;
        /* A column may be longer than a window: then it is the mean of several. */
        int spectra = (int)ceil(samples / (n_fft / 2.0));
        memset(s.power, 0, (size_t)s.stft->bins * sizeof *s.power);
        if (first + samples / 2 > (double)source->count) break;
        for (int i = 0; i < spectra; i++)
            add_spectrum(&s, source, first + samples * (i + 0.5) / spectra);
        fill_column(p, &s, column, spectra);
    }
    spectrum_free(&s);
    return status;
}

static int usual_n_fft(int rate) {
    double wanted = 0.046 * rate;
    int n = 64;
    while (n * 1.41421356 < wanted && n < MEL_MAX_FFT) n *= 2;
    return n;
}

/* ---- levels of mels ----------------------------------------------------------------------- */

static lull_status fill_from_frames(panel *p, lull_error *error) {
    const picture_source *source = p->source;
    const mel_convention *mel = source->convention;
    size_t bands = (size_t)mel->bands;
    float *logs = base_alloc(source->n * bands, sizeof *logs);
    if (!logs) return base_no_memory(error);
    for (size_t f = 0; f < source->n; f++)
        mel_to_natural_log(mel, source->frames + f * bands, logs + f * bands);
    /* A frame is shown around its centre, hop samples wide. */
    double columns_a_frame = (double)mel->hop / mel->sample_rate / p->seconds * p->width;
    double offset = ((double)mel_convention_first_centre(mel) / mel->hop - 0.5) * columns_a_frame;
    for (int column = 0; column < p->width; column++) {
        size_t first = (size_t)fmax((column - offset) / columns_a_frame, 0);
        size_t end = (size_t)fmax((column + 1 - offset) / columns_a_frame, 0);
        if (end <= first) end = first + 1;
        if (end > source->n) end = source->n;
        for (int row = 0; row < p->height && first < end; row++) {
            size_t band = (size_t)row * bands / (size_t)p->height;
            double sum = 0;
            for (size_t f = first; f < end; f++) sum += logs[f * bands + band];
            p->levels[(size_t)row * (size_t)p->width + (size_t)column] =
                (float)(20 / log(10) * sum / (double)(end - first));
        }
    }
    base_free(logs);
    return LULL_OK;
}

/* ---- axes --------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, at least `least`. */
static double nice_step(double least) {
    double power = pow(10, floor(log10(least))), times = least / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void right_aligned(picture_canvas *c, int right, int y, const char *label) {
    picture_canvas_text(c, right - picture_canvas_text_width(label), y - PICTURE_CANVAS_CAPITAL / 2,
                        label, INK);
}

static void frequency_label(picture_canvas *c, int y, double hz) {
    char label[32];
    if (hz >= 1000)
        snprintf(label, sizeof label, "%g kHz", hz / 1000);
    else
        snprintf(label, sizeof label, "%g Hz", hz);
    picture_canvas_fill(c, LEFT - TICK, y, TICK, 1, INK);
    right_aligned(c, LEFT - TICK - 4, y, label);
}

static void linear_frequencies(picture_canvas *c, const panel *p, int top) {
    double step = nice_step(p->max_hz * 40 / p->height);
    for (double hz = 0; hz <= p->max_hz * (1 + 1e-9); hz += step)
        frequency_label(c, top + p->height - 1 - (int)lround((p->height - 1) * hz / p->max_hz), hz);
}

/* Labels where bands of a mel have round centres, as many as there is room for. */
static lull_status mel_frequencies(picture_canvas *c, const panel *p, int top, lull_error *error) {
    static const double ROUND[] = {100,  200,  300,  500,  700,   1000,  1500,  2000,
                                   3000, 4000, 6000, 8000, 10000, 12000, 16000, 20000};
    mel_filterbank *bank = NULL;
    lull_status status = mel_filterbank_new(p->convention, &bank, error);
    if (status != LULL_OK) return status;
    int last = top + p->height + PICTURE_CANVAS_LINE;
    for (size_t i = 0; i < sizeof ROUND / sizeof *ROUND; i++) {
        int b = 0;
        while (b + 1 < bank->nodes && bank->centroid[bank->node[b + 1]] <= ROUND[i]) b++;
        if (b + 1 >= bank->nodes) break;
        double low = bank->centroid[bank->node[b]], high = bank->centroid[bank->node[b + 1]];
        if (ROUND[i] < low) continue;
        double band =
            bank->node[b] + (ROUND[i] - low) / (high - low) * (bank->node[b + 1] - bank->node[b]);
        int y = top + p->height - 1 - (int)lround((band + 0.5) / bank->bands * p->height);
        if (last - y < PICTURE_CANVAS_LINE + 4 || y < top) continue;
        frequency_label(c, y, ROUND[i]);
        last = y;
    }
    mel_filterbank_free(bank);
    return LULL_OK;
}

static void times(picture_canvas *c, const panel *p, int bottom, bool labels) {
    char label[32];
    double step = nice_step(p->seconds * 76 / p->width);
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    for (double t = 0; t <= p->seconds * (1 + 1e-9); t += step) {
        int x = LEFT + (int)lround((p->width - 1) * t / p->seconds);
        picture_canvas_fill(c, x, bottom, 1, TICK, INK);
        snprintf(label, sizeof label, "%.*f s", digits, t);
        if (labels)
            picture_canvas_text(c, x - picture_canvas_text_width(label) / 2, bottom + TICK + 6,
                                label, INK);
    }
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void scale_of_levels(picture_canvas *c, const panel *p, int top,
                            const picture_colour_map *map, double low, double high) {
    char label[32];
    int x = LEFT + p->width + p->axis + 12;
    for (int row = 0; row < p->height; row++)
        picture_canvas_fill(c, x, top + p->height - 1 - row, BAR, 1,
                            picture_colour_map_at(map, (row + 0.5) / p->height));
    picture_canvas_frame(c, x - 1, top - 1, BAR + 2, p->height + 2, INK);
    double step = fmax(10, nice_step((high - low) * 40 / p->height));
    for (double db = ceil(low / step) * step; db <= high + 1e-9; db += step) {
        int y = top + p->height - 1 - (int)lround((p->height - 1) * (db - low) / (high - low));
        picture_canvas_fill(c, x + BAR, y, TICK, 1, INK);
        snprintf(label, sizeof label, "%s%.0f%s", !p->source && db > 0 ? "+" : "", db,
                 db + step > high ? " dB" : "");
        picture_canvas_text(c, x + BAR + TICK + 3, y - PICTURE_CANVAS_CAPITAL / 2, label, INK);
    }
}

static void loudest(const panel *p, double *level) {
    for (size_t i = 0; i < (size_t)p->width * (size_t)p->height; i++)
        /* False for NAN. NOLINTNEXTLINE(*-core.NullDereference): fill_panel has filled them. */
        if (p->levels[i] > *level) *level = p->levels[i];
}

static void draw_f0(picture_canvas *c, const panel *p, int top) {
    const picture_area area = {LEFT, top, p->width, p->height, p->seconds};
    if (p->source && p->f0[0]) picture_f0_curve(c, &area, p->f0[0], F0, F0_EDGE);
    if (p->f0[1]) {
        picture_f0_curve(c, &area, p->f0[0], F0_FIRST, PAPER);
        picture_f0_curve(c, &area, p->f0[1], F0_SECOND, PAPER);
    }
    if (p->f0[0]) picture_f0_axis(c, &area, F0_AXIS);
}

static lull_status draw_panel(picture_canvas *c, const panel *p, int top, double low, double high,
                              lull_error *error) {
    picture_colour_map map;
    lull_status status = LULL_OK;
    if (p->source)
        picture_colour_map_sequential(&map);
    else
        picture_colour_map_diverging(&map);
    for (int row = 0; row < p->height; row++)
        for (int column = 0; column < p->width; column++) {
            float level = p->levels[(size_t)row * (size_t)p->width + (size_t)column];
            picture_canvas_dot(
                c, LEFT + column, top + p->height - 1 - row,
                isnan(level) ? NOTHING : picture_colour_map_at(&map, (level - low) / (high - low)));
        }
    draw_f0(c, p, top);
    picture_canvas_frame(c, LEFT - 1, top - 1, p->width + 2, p->height + 2, INK);
    scale_of_levels(c, p, top, &map, low, high);
    if (p->source && p->source->title) {
        char title[256];
        int end = p->f0[0] ? p->width - PICTURE_F0_OVERHANG : p->width + p->axis + RIGHT;
        int room = (end - 12) / PICTURE_CANVAS_LETTER;
        snprintf(title, sizeof title, "%.*s", room < 255 ? room : 255, p->source->title);
        picture_canvas_text(c, LEFT, top - TITLE + 8, title, INK);
    } else if (!p->source && top > TITLE) { /* not where it is alone */
        picture_canvas_text(c, LEFT, top - TITLE + 8, "difference", INK);
    }
    if (p->convention)
        status = mel_frequencies(c, p, top, error);
    else
        linear_frequencies(c, p, top);
    return status;
}

/* ---- the whole picture -------------------------------------------------------------------- */

static double duration(const picture_source *s) {
    if (s->samples) return (double)s->count / s->rate;
    return (double)s->n * s->convention->hop / s->convention->sample_rate;
}

static lull_status check(const picture_source *sources, int count, const picture_options *o,
                         lull_error *error) {
    if (count < 1 || count > PICTURE_MOST_SOURCES)
        return base_fail(error, LULL_INVALID, "a picture of %d panels: 1 to %d are possible", count,
                         PICTURE_MOST_SOURCES);
    for (int i = 0; i < count; i++)
        if (!(duration(&sources[i]) > 0))
            return base_fail(error, LULL_INVALID, "%s: nothing to draw",
                             sources[i].title ? sources[i].title : "a panel");
    if (o->n_fft < 0 || o->n_fft % 2 || o->n_fft > MEL_MAX_FFT)
        return base_fail(error, LULL_INVALID, "a window of %d samples: even numbers up to %d go",
                         o->n_fft, MEL_MAX_FFT);
    if (!o->difference) return LULL_OK;
    if (count != 2) return base_fail(error, LULL_INVALID, "a difference wants two panels");
    if (!sources[0].samples != !sources[1].samples ||
        (!sources[0].samples && sources[0].convention->bands != sources[1].convention->bands))
        return base_fail(error, LULL_MISMATCH,
                         "a difference wants two recordings, or two mels of as many bands");
    return LULL_OK;
}

/* Sizes and axes of the panels; returns the height of the picture. */
static int arrange(const picture_source *sources, int count, const picture_options *o,
                   panel *panels) {
    int width = (o->width > 0 ? o->width : 1000) - LEFT - RIGHT, total = BOTTOM, axis = 0;
    double seconds = 0, max_hz = 0;
    for (int i = 0; i < count; i++) {
        seconds = fmax(seconds, duration(&sources[i]));
        if (sources[i].samples) max_hz = fmax(max_hz, sources[i].rate / 2.0);
        if (sources[i].f0) axis = PICTURE_F0_ROOM;
    }
    width -= axis;
    if (o->max_hz > 0) max_hz = fmin(max_hz, o->max_hz);
    for (int i = 0; i < count + o->difference; i++) {
        const picture_source *kind = &sources[i < count ? i : 0];
        int height = o->panel_height > 0 ? o->panel_height : 280;
        if (height < SMALLEST) height = SMALLEST;
        if (!kind->samples && height > kind->convention->bands)
            height -= height % kind->convention->bands;
        panels[i] = (panel){.source = i < count ? kind : NULL,
                            .convention = kind->samples ? NULL : kind->convention,
                            .width = width < SMALLEST ? SMALLEST : width,
                            .height = height,
                            .axis = axis,
                            .seconds = seconds,
                            .max_hz = max_hz};
        if (i < count)
            panels[i].f0[0] = kind->f0;
        else if (sources[0].f0 && sources[1].f0)
            panels[i].f0[0] = sources[0].f0, panels[i].f0[1] = sources[1].f0;
        total += TITLE + height;
    }
    return total;
}

static lull_status fill_panel(panel *p, const panel *all, const picture_options *o,
                              lull_error *error) {
    size_t pixels = (size_t)p->width * (size_t)p->height;
    p->levels = base_alloc(pixels, sizeof *p->levels);
    if (!p->levels) return base_no_memory(error);
    for (size_t i = 0; i < pixels; i++) p->levels[i] = NAN;
    if (p->source && p->source->samples)
        return fill_from_samples(p, o->n_fft > 0 ? o->n_fft : usual_n_fft(p->source->rate), error);
    if (p->source) return fill_from_frames(p, error);
    for (size_t i = 0; i < pixels; i++) p->levels[i] = all[1].levels[i] - all[0].levels[i];
    return LULL_OK;
}

/* What is quieter than the scale shows has no difference that one could hear. */
static void hold_at_floor(panel *p, double low) {
    for (size_t i = 0; i < (size_t)p->width * (size_t)p->height; i++)
        if (p->levels[i] < low) p->levels[i] = (float)low;
}

/* Levels of all sources, and the upper end of the scale of each kind: panels of one kind share it.
 */
static lull_status fill_sources(panel *panels, int count, const picture_options *o, double top[2],
                                lull_error *error) {
    lull_status status = LULL_OK;
    top[0] = top[1] = -150;
    for (int i = 0; i < count && status == LULL_OK; i++) {
        status = fill_panel(&panels[i], panels, o, error);
        if (status == LULL_OK) loudest(&panels[i], &top[panels[i].convention != NULL]);
    }
    for (int kind = 0; kind < 2; kind++) {
        top[kind] = 10 * ceil(top[kind] / 10);
        if (o->top_db) top[kind] = *o->top_db;
    }
    return status;
}

static void free_panels(panel *panels, int count) {
    for (int i = 0; i < count; i++) base_free(panels[i].levels);
}

static lull_status draw_panels(picture_canvas *c, panel *panels, int first, int count,
                               const double top[2], double range, lull_error *error) {
    lull_status status = LULL_OK;
    int y = TITLE;
    for (int i = first; i < count && status == LULL_OK; i++) {
        double loud = panels[i].source ? top[panels[i].convention != NULL] : DIFFERENCE_DB;
        double quiet = panels[i].source ? loud - range : -DIFFERENCE_DB;
        status = draw_panel(c, &panels[i], y, quiet, loud, error);
        times(c, &panels[i], y + panels[i].height + 1, i == count - 1);
        y += panels[i].height + TITLE;
    }
    return status;
}

static const picture_options USUAL = {0, 0, 0, 0, 0, false, false, NULL};

lull_status picture_draw(const picture_source *sources, int count, const picture_options *options,
                         picture_canvas *c, lull_error *error) {
    const picture_options *o = options ? options : &USUAL;
    panel panels[PICTURE_MOST_SOURCES + 1] = {{0}};
    double range = o->range_db > 0 ? o->range_db : 80, top[2];
    *c = (picture_canvas){NULL, 0, 0};
    lull_status status = check(sources, count, o, error);
    if (status != LULL_OK) return status;
    int all = count + o->difference, first = o->difference && o->only_difference ? count : 0;
    int height = arrange(sources, count, o, panels);
    for (int i = 0; i < first; i++) height -= panels[i].height + TITLE;
    status = picture_canvas_new(c, LEFT + panels[0].width + panels[0].axis + RIGHT, height, PAPER,
                                error);
    if (status == LULL_OK) status = fill_sources(panels, count, o, top, error);
    for (int i = 0; i < count && status == LULL_OK; i++)
        hold_at_floor(&panels[i], top[panels[i].convention != NULL] - range);
    if (o->difference && status == LULL_OK) status = fill_panel(&panels[count], panels, o, error);
    if (status == LULL_OK) status = draw_panels(c, panels, first, all, top, range, error);
    free_panels(panels, all);
    if (status != LULL_OK) picture_canvas_free(c);
    return status;
}

lull_status picture_top(const picture_source *sources, int count, const picture_options *options,
                        double *top_db, lull_error *error) {
    const picture_options *o = options ? options : &USUAL;
    panel panels[PICTURE_MOST_SOURCES + 1] = {{0}};
    double top[2];
    lull_status status = check(sources, count, o, error);
    if (status != LULL_OK) return status;
    arrange(sources, count, o, panels);
    status = fill_sources(panels, count, o, top, error);
    *top_db = top[sources[0].samples == NULL];
    free_panels(panels, count);
    return status;
}

lull_status picture_write(const char *path, const picture_source *sources, int count,
                          const picture_options *options, lull_error *error) {
    picture_canvas c;
    lull_status status = picture_draw(sources, count, options, &c, error);
    if (status != LULL_OK) return status;
    status = picture_png_write(path, c.rgb, c.width, c.height, error);
    picture_canvas_free(&c);
    return status;
}

lull_status picture_encode(const picture_source *sources, int count, const picture_options *options,
                           uint8_t **png, size_t *size, lull_error *error) {
    picture_canvas c;
    lull_status status = picture_draw(sources, count, options, &c, error);
    if (status != LULL_OK) return status;
    status = picture_png_encode(c.rgb, c.width, c.height, png, size, error);
    picture_canvas_free(&c);
    return status;
}
