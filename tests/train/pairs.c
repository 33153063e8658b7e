/* Pairs of mels and recordings: the list, offsets that are found, crops that see the pair's mel. */
#include "helpers.h"

#include "base/memory.h"
#include "base/thread_pool.h"
#include "io/npy.h"
#include "mel/front_end.h"
#include "train/crops.h"
#include "train/pairs.h"

enum { FILES = 5, RATE = 16000, BANDS = 80, FRAMES = 8 };

/* Frames by which file i's mel runs behind its recording. */
static const int offsets[FILES] = {0, 3, -3, 11, -7};

typedef struct fixture {
    char folder[TEST_PATH], list[TEST_PATH];
    model_config config;
    thread_pool *pool;
    char said[8192];
} fixture;

static void listen_to(void *context, train_line kind, const char *line) {
    (void)kind;
    fixture *f = context;
    strncat(f->said, line, sizeof f->said - strlen(f->said) - 2);
    strcat(f->said, "\n");
}

static float *mel_of_voice(const fixture *f, unsigned seed, size_t *n) {
    size_t count;
    float *samples = make_voice(RATE, 1.0 + 0.1 * seed, seed, &count), *frames = NULL;
    assert_int_equal(mel_from_samples(&f->config.mel, samples, count, &frames, n, NULL), LULL_OK);
    free(samples);
    return frames;
}

/* What an acoustic model would write: later or earlier than the recording, blurred over bands and
 * off by a quarter; [bands, T]. */
static void write_mel(const fixture *f, const char *name, unsigned seed, int offset) {
    char path[TEST_PATH];
    size_t n, got = 0;
    float *frames = mel_of_voice(f, seed, &n), *out = calloc(n * BANDS, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        long at = (long)i + offset;
        if (at < 0 || at >= (long)n) continue;
        for (int b = 0; b < BANDS; b++) {
            const float *row = frames + (size_t)at * BANDS;
            float above = row[b + 1 < BANDS ? b + 1 : b], below = row[b > 0 ? b - 1 : b];
            out[(size_t)b * n + got] = 0.6f * row[b] + 0.2f * (above + below) + 0.25f;
        }
        got++;
    }
    float *tight = calloc(got * BANDS, sizeof *tight);
    for (size_t b = 0; b < BANDS; b++) memcpy(tight + b * got, out + b * n, got * sizeof *tight);
    join(path, f->folder, name);
    assert_int_equal(npy_write(path, tight, 2, (const size_t[]){BANDS, got}, NULL), LULL_OK);
    base_free(frames);
    free(out);
    free(tight);
}

static void set_up(fixture *f) {
    memset(f, 0, sizeof *f);
    make_temporary(f->folder);
    tiny_config(&f->config);
    assert_int_equal(thread_pool_new(1, &f->pool, NULL), LULL_OK);
    join(f->list, f->folder, "list.txt");
    FILE *list = fopen(f->list, "w");
    fputs("# predicted by a model that is not there\n\n", list);
    for (unsigned i = 0; i < FILES; i++) {
        char name[64];
        snprintf(name, sizeof name, "voice %u.wav", i);
        write_voice(f->folder, name, RATE, 1.0 + 0.1 * i, i);
        snprintf(name, sizeof name, "mel %u.npy", i);
        write_mel(f, name, i, offsets[i]);
        fprintf(list, i % 2 ? "mel %u.npy\tvoice %u.wav\n" : "  mel %u.npy | voice %u.wav\r\n", i,
                i);
    }
    fclose(list);
}

static void tear_down(fixture *f) {
    thread_pool_free(f->pool);
    remove_all(f->folder);
}

static lull_status open_pairs(fixture *f, train_corpus **corpus, lull_error *error) {
    train_pairs pairs;
    const train_voice voice = {listen_to, f};
    lull_status status = train_pairs_read(f->list, &pairs, error);
    *corpus = NULL;
    if (status) return status;
    const train_corpus_options options = {.rate = RATE,
                                          .least_samples = FRAMES * 256,
                                          .side = TRAIN_SIDE_ALL,
                                          .files = (const char *const *)pairs.recordings,
                                          .file_count = pairs.count};
    status = train_corpus_open(f->list, &options, f->pool, corpus, error);
    if (!status)
        status = train_pairs_attach(&pairs, &f->config.mel, FRAMES, *corpus, &voice, error);
    train_pairs_free(&pairs);
    return status;
}

static void shifts_are_found(void **state) {
    (void)state;
    fixture f;
    train_corpus *corpus;
    set_up(&f);
    lull_error error = {0};
    if (open_pairs(&f, &corpus, &error)) fail_msg("%s", error.message);
    assert_int_equal(corpus->count, FILES);
    for (size_t i = 0; i < FILES; i++) /* a mel that lost its first frames begins later */
        assert_int_equal(corpus->recordings[i].pair->first, offsets[i] > 0 ? offsets[i] : 0);
    assert_non_null(strstr(f.said, "pairs: 5, the mels 0 to 11 frames behind"));
    train_corpus_free(corpus);
    tear_down(&f);
}

/* Before the recording begins too, and nothing is found in silence. */
static void both_directions(void **state) {
    (void)state;
    fixture f;
    size_t n;
    int offset;
    set_up(&f);
    float *frames = mel_of_voice(&f, 2, &n), *flat = calloc(n * BANDS, sizeof *flat);
    for (int d = -TRAIN_PAIRS_REACH; d <= TRAIN_PAIRS_REACH; d += 4) {
        size_t from = (size_t)(d > 0 ? d : 0), skipped = (size_t)(d < 0 ? -d : 0);
        double is = train_pairs_offset(frames + from * BANDS, n - from, frames + skipped * BANDS,
                                       n - skipped, BANDS, &offset);
        assert_int_equal(offset, d);
        assert_true(is > 0.95); /* the means are of other frames */
    }
    assert_true(isnan(train_pairs_offset(flat, n, frames, n, BANDS, &offset)));
    free(flat);
    base_free(frames);
    tear_down(&f);
}

/* Degraded crops have the pair's frames, the others the recording's own; both see the same place. */
static void crops_see_the_mel(void **state) {
    (void)state;
    fixture f;
    train_corpus *corpus;
    set_up(&f);
    if (open_pairs(&f, &corpus, NULL)) fail_msg("no corpus");
    const train_crops_options options = {3, FRAMES, 0, 0.0, 0.5};
    train_crops *crops = NULL;
    assert_int_equal(train_crops_new(&f.config, corpus, &options, &crops, NULL), LULL_OK);
    int paired = 0;
    for (uint64_t i = 0; i < 60; i++) {
        train_crop crop;
        float exact[FRAMES * BANDS], seen[FRAMES * BANDS];
        train_crops_choose(crops, i, &crop);
        const train_pair *pair = corpus->recordings[crop.recording].pair;
        int64_t at = crop.first_frame - pair->first;
        assert_true(at >= 0 && at + FRAMES <= (int64_t)pair->frames);
        assert_int_equal(train_crops_mels(crops, &crop, exact, seen, NULL), LULL_OK);
        assert_int_equal(crop.degrade.passes, 0);
        paired += crop.paired;
        assert_memory_equal(seen, crop.paired ? pair->mel + at * BANDS : exact, sizeof seen);
        double error = 0.0;
        for (int k = 0; k < FRAMES * BANDS; k++)
            error += fabs(pair->mel[at * BANDS + k] - exact[k]);
        assert_true(error / (FRAMES * BANDS) < 0.6); /* a frame off it is twice that */
    }
    assert_true(paired > 15 && paired < 45);
    train_crops_free(crops);
    train_corpus_free(corpus);
    tear_down(&f);
}

static void add_line(const fixture *f, const char *line) {
    FILE *list = fopen(f->list, "a");
    fprintf(list, "%s\n", line);
    fclose(list);
}

static void wrong_pairs_are_left_out(void **state) {
    (void)state;
    fixture f;
    train_corpus *corpus;
    char path[TEST_PATH];
    set_up(&f);
    write_voice(f.folder, "other.wav", RATE, 1.2, 2);
    add_line(&f, "mel 0.npy|other.wav");
    write_voice(f.folder, "long.wav", RATE, 3.0, 1);
    add_line(&f, "mel 1.npy|long.wav");
    write_voice(f.folder, "narrow.wav", RATE, 1.0, 1);
    float some[40 * 60];
    random_normal(1, 0, 0, some, 40 * 60);
    join(path, f.folder, "narrow.npy");
    assert_int_equal(npy_write(path, some, 2, (const size_t[]){40, 60}, NULL), LULL_OK);
    add_line(&f, "narrow.npy|narrow.wav");
    write_voice(f.folder, "noise.wav", RATE, 1.0, 4);
    float *noise = calloc(BANDS * 62, sizeof *noise);
    random_normal(2, 0, 0, noise, BANDS * 62);
    for (int i = 0; i < BANDS * 62; i++) noise[i] -= 5;
    join(path, f.folder, "noise.npy");
    assert_int_equal(npy_write(path, noise, 2, (const size_t[]){BANDS, 62}, NULL), LULL_OK);
    free(noise);
    add_line(&f, "noise.npy|noise.wav");
    lull_error error = {0};
    if (open_pairs(&f, &corpus, &error)) fail_msg("%s", error.message);
    assert_non_null(strstr(f.said, "teacher-forced"));
    assert_non_null(strstr(f.said, "no mel spectrogram of 80 bands"));
    assert_non_null(strstr(f.said, "noise.npy: is not the mel of"));
    assert_true(corpus->count >= FILES && corpus->count <= FILES + 1);
    for (size_t i = 0; i < corpus->count; i++)
        assert_int_equal(corpus->first_sample[i + 1] - corpus->first_sample[i],
                         corpus->recordings[i].samples);
    train_corpus_free(corpus);
    tear_down(&f);
}

static void wrong_lists(void **state) {
    (void)state;
    fixture f;
    train_pairs pairs;
    set_up(&f);
    lull_error error = {0};
    add_line(&f, "only one");
    assert_int_equal(train_pairs_read(f.list, &pairs, &error), LULL_FORMAT);
    assert_non_null(strstr(error.message, "line 8"));
    FILE *list = fopen(f.list, "w");
    fputs("a.npy|x.wav\nb.npy|x.wav\n", list);
    fclose(list);
    assert_int_equal(train_pairs_read(f.list, &pairs, &error), LULL_FORMAT);
    assert_non_null(strstr(error.message, "x.wav twice"));
    fclose(fopen(f.list, "w"));
    assert_int_equal(train_pairs_read(f.list, &pairs, &error), LULL_FORMAT);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shifts_are_found),  cmocka_unit_test(both_directions),
        cmocka_unit_test(crops_see_the_mel), cmocka_unit_test(wrong_pairs_are_left_out),
        cmocka_unit_test(wrong_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
