/* A folder of recordings with everything in it that such folders hold. */
#include "helpers.h"

#include "base/thread_pool.h"
#include "base/memory.h"
#include "recording/audio_file.h"
#include "recording/resample.h"
#include "train/corpus.h"

typedef struct lines {
    char text[8192];
    int count;
} lines;

static void note(void *context, const char *line) {
    lines *l = context;
    l->count++;
    strncat(l->text, line, sizeof l->text - strlen(l->text) - 2);
    strcat(l->text, "\n");
}

static train_corpus *open_all(const char *folder, const char *index, size_t cache, lines *said) {
    train_corpus *corpus = NULL;
    thread_pool *pool;
    lull_error error;
    memset(said, 0, sizeof *said);
    assert_int_equal(thread_pool_new(2, &pool, NULL), LULL_OK);
    const train_corpus_options options = {.rate = 16000,
                                          .least_samples = 8192,
                                          .side = TRAIN_SIDE_ALL,
                                          .cache_bytes = cache,
                                          .index_path = index,
                                          .left_out = note,
                                          .progress = NULL,
                                          .context = said,
                                          .stop = NULL};
    if (train_corpus_open(folder, &options, pool, &corpus, &error)) fail_msg("%s", error.message);
    thread_pool_free(pool);
    return corpus;
}

static void fill_folder(const char *folder) {
    char path[TEST_PATH];
    join(path, folder, "b");
    assert_int_equal(mkdir(path, 0777), 0);
    write_voice(folder, "b/two.wav", 16000, 2.0, 2);
    write_voice(folder, "a.wav", 16000, 1.0, 1);
    write_voice(folder, "short.wav", 16000, 0.3, 3);
    /* stereo at 44.1 kHz */
    size_t count;
    float *voice = make_voice(44100, 1.5, 4, &count), *both = malloc(2 * count * sizeof *both);
    for (size_t i = 0; i < count; i++) both[2 * i] = voice[i], both[2 * i + 1] = 0.5f * voice[i];
    join(path, folder, "stereo.wav");
    write_wav(path, 44100, 2, both, count);
    /* silence */
    memset(voice, 0, count * sizeof *voice);
    join(path, folder, "silent.wav");
    write_wav(path, 44100, 1, voice, count);
    free(voice);
    free(both);
    /* not audio, though named so; not audio at all; hidden; a link to nowhere; circles */
    const char *texts[] = {"broken.wav", "notes.txt", "transcript.csv", ".hidden.wav"};
    for (int i = 0; i < 4; i++) {
        join(path, folder, texts[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("these are words, not samples\n", file);
        fclose(file);
    }
    join(path, folder, "nowhere.wav");
    assert_int_equal(symlink("/nonexistent/file.wav", path), 0);
    const char *loops[] = {"b/up", "again"};
    for (int i = 0; i < 2; i++) {
        join(path, folder, loops[i]);
        assert_int_equal(symlink(i == 0 ? ".." : ".", path), 0);
    }
    join(path, folder, "empty.wav");
    write_wav(path, 16000, 1, NULL, 0);
}

static void oddities(void **state) {
    (void)state;
    char folder[TEST_PATH], index[TEST_PATH];
    lines said;
    make_temporary(folder);
    fill_folder(folder);
    snprintf(index, sizeof index, "%.1000s.index", folder);
    for (int round = 0; round < 2; round++) { /* measured, then from the index file */
        train_corpus *corpus = open_all(folder, index, 1 << 30, &said);
        assert_int_equal(corpus->count, 3);
        assert_string_equal(corpus->recordings[0].name, "a.wav");
        assert_string_equal(corpus->recordings[1].name, "b/two.wav");
        assert_string_equal(corpus->recordings[2].name, "stereo.wav");
        assert_int_equal(corpus->recordings[0].samples, 16000);
        assert_int_equal(corpus->recordings[2].samples, 24000);
        assert_int_equal(corpus->first_sample[3], 72000);
        assert_int_equal(corpus->found, 9);
        assert_int_equal(corpus->left_out, 6);
        assert_true(corpus->recordings[0].level < -10.0 && corpus->recordings[0].level > -30.0);
        assert_true(corpus->recordings[0].silence < 0.2);
        const char *expected[] = {"short.wav: too short", "silent.wav: silent", "broken.wav",
                                  "2 files that are no recordings", "empty.wav"};
        for (int i = 0; i < 5; i++)
            if (!strstr(said.text, expected[i]))
                fail_msg("nothing about %s in:\n%s", expected[i], said.text);
        assert_int_equal(said.count, 5);
        assert_null(strstr(said.text, "hidden"));
        train_corpus_free(corpus);
    }
    unlink(index);
    remove_all(folder);
}

/* Nothing is measured after that, and what was measured before is kept. */
static void interrupted(void **state) {
    (void)state;
    char folder[TEST_PATH];
    volatile sig_atomic_t stop = 1;
    lull_error error;
    thread_pool *pool;
    train_corpus *corpus;
    make_temporary(folder);
    fill_folder(folder);
    assert_int_equal(thread_pool_new(2, &pool, NULL), LULL_OK);
    train_corpus_options options = {
        .rate = 16000, .least_samples = 8192, .side = TRAIN_SIDE_ALL, .stop = &stop};
    assert_int_equal(train_corpus_open(folder, &options, pool, &corpus, &error), LULL_FINISHED);
    assert_null(corpus);
    stop = 0;
    assert_int_equal(train_corpus_open(folder, &options, pool, &corpus, &error), LULL_OK);
    assert_int_equal(corpus->count, 3);
    train_corpus_free(corpus);
    thread_pool_free(pool);
    remove_all(folder);
}

static void nothing_usable(void **state) {
    (void)state;
    char folder[TEST_PATH];
    thread_pool *pool;
    train_corpus *corpus;
    lull_error error;
    const train_corpus_options options = {.rate = 16000, .least_samples = 8192};
    make_temporary(folder);
    assert_int_equal(thread_pool_new(1, &pool, NULL), LULL_OK);
    assert_int_equal(train_corpus_open(folder, &options, pool, &corpus, &error), LULL_INVALID);
    assert_null(corpus);
    assert_non_null(strstr(error.message, folder));
    remove_all(folder);
    assert_int_equal(train_corpus_open(folder, &options, pool, &corpus, &error), LULL_IO);
    thread_pool_free(pool);
}

/* Pieces of a resident and of a streamed recording: the same at the file's rate, nearly so when
 * resampled, and in both cases a function of the piece alone. */
static void reading(void **state) {
    (void)state;
    char folder[TEST_PATH], path[TEST_PATH];
    lines said;
    make_temporary(folder);
    write_voice(folder, "native.wav", 16000, 2.0, 7);
    write_voice(folder, "other.wav", 44100, 2.0, 8);
    train_corpus *resident = open_all(folder, NULL, 1 << 30, &said);
    train_corpus *streamed = open_all(folder, NULL, 0, &said);
    assert_true(resident->recordings[0].resident && !streamed->recordings[0].resident);
    static float a[8000], b[8000], again[8000];
    for (size_t r = 0; r < 2; r++)
        for (int64_t first = -700; first < 32500; first += 3331) {
            assert_int_equal(train_corpus_read(resident, r, first, 8000, a, NULL), LULL_OK);
            assert_int_equal(train_corpus_read(streamed, r, first, 8000, b, NULL), LULL_OK);
            assert_int_equal(train_corpus_read(streamed, r, first, 8000, again, NULL), LULL_OK);
            assert_memory_equal(b, again, sizeof b);
            double worst = 0.0;
            for (int64_t i = 0; i < 8000; i++) {
                worst = fmax(worst, fabs((double)a[i] - b[i]));
                if (first + i < 0 || first + i >= 32000) assert_true(a[i] == 0.0f && b[i] == 0.0f);
            }
            assert_true(worst <= (r == 0 ? 0.0 : 2e-3));
        }
    /* Against the whole file, resampled at once. */
    float *whole;
    size_t count;
    join(path, folder, "other.wav");
    assert_int_equal(recording_file_read(path, 16000, &whole, &count, NULL, NULL), LULL_OK);
    assert_int_equal(train_corpus_read(resident, 1, 5000, 8000, a, NULL), LULL_OK);
    assert_memory_equal(a, whole + 5000, sizeof a);
    base_free(whole);
    /* A recording that goes away is an error, not silence. */
    unlink(path);
    lull_error error;
    assert_int_not_equal(train_corpus_read(streamed, 1, 0, 8000, a, &error), LULL_OK);
    assert_non_null(strstr(error.message, "other.wav"));
    train_corpus_free(resident);
    train_corpus_free(streamed);
    remove_all(folder);
}

static void split(void **state) {
    (void)state;
    int below = 0;
    for (int i = 0; i < 10000; i++) {
        char name[64];
        snprintf(name, sizeof name, "speaker%d/utterance-%05d.wav", i % 7, i);
        double share = train_name_share(name);
        assert_true(share >= 0.0 && share < 1.0);
        below += share < 0.05;
    }
    assert_in_range(below, 400, 600);
    assert_true(train_name_share("a/x.wav") ==
                train_name_share("b/c/x.wav")); /* the base name decides */
    assert_true(train_name_share("x.wav") != train_name_share("y.wav"));
    /* The sides of a folder are disjoint and complete. */
    char folder[TEST_PATH], name[32];
    make_temporary(folder);
    for (unsigned i = 0; i < 24; i++) {
        snprintf(name, sizeof name, "u%02u.wav", i);
        write_voice(folder, name, 16000, 0.6, i);
    }
    thread_pool *pool;
    train_corpus *sides[2];
    assert_int_equal(thread_pool_new(2, &pool, NULL), LULL_OK);
    for (int side = 0; side < 2; side++) {
        const train_corpus_options options = {.rate = 16000,
                                              .least_samples = 8192,
                                              .valid_share = 0.3,
                                              .side = side ? TRAIN_SIDE_VALID : TRAIN_SIDE_TRAIN};
        assert_int_equal(train_corpus_open(folder, &options, pool, &sides[side], NULL), LULL_OK);
    }
    assert_int_equal(sides[0]->count + sides[1]->count, 24);
    for (size_t i = 0; i < sides[0]->count; i++)
        assert_true(train_name_share(sides[0]->recordings[i].name) >= 0.3);
    for (size_t i = 0; i < sides[1]->count; i++)
        assert_true(train_name_share(sides[1]->recordings[i].name) < 0.3);
    train_corpus_free(sides[0]);
    train_corpus_free(sides[1]);
    thread_pool_free(pool);
    remove_all(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oddities), cmocka_unit_test(interrupted), cmocka_unit_test(nothing_usable),
        cmocka_unit_test(reading),  cmocka_unit_test(split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
