/* safetensors: written and read back, and every way in which a file can lie. */
#include "../base/temporary.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/safetensors.h"

static lull_error error;

/* A file in memory, exactly as large as it is: header text, then `data_size` bytes counting up. */
static unsigned char *make(const char *header, size_t data_size, size_t *total) {
    size_t length = strlen(header);
    *total = 8 + length + data_size;
    unsigned char *bytes = malloc(*total);
    assert_non_null(bytes);
    for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++) bytes[8 + length + i] = (unsigned char)i;
    return bytes;
}

static void refused(const char *header, size_t data_size, const char *reason) {
    size_t total;
    unsigned char *bytes = make(header, data_size, &total);
    safetensors *file = (safetensors *)1;
    lull_status status = safetensors_parse(bytes, total, "it.safetensors", &file, &error);
    if (status != LULL_FORMAT) fail_msg("status %d for %s", status, header);
    assert_null(file);
    assert_contains(error.message, "it.safetensors");
    assert_contains(error.message, reason);
    free(bytes);
}

static void round_trip(void **state) {
    (void)state;
    const char *path = temporary_path("model.safetensors");
    float weights[6] = {1, -2, 3, 0.1f, 1e30f, -0.0f}, halves[3] = {1.0f, 1.00390625f, 3.1415927f};
    int64_t step = INT64_MAX;
    uint8_t state_bytes[5] = {1, 2, 3, 4, 5};
    const safetensors_entry entries[] = {
        {"state", SAFETENSORS_U8, 1, {5}, state_bytes},
        {"layer.0.weight", SAFETENSORS_F32, 3, {2, 3, 1}, weights},
        {"halves", SAFETENSORS_BF16, 1, {3}, halves},
        {"step", SAFETENSORS_I64, 0, {0}, &step},
        {"nothing", SAFETENSORS_F32, 2, {0, 7}, NULL},
        {"with \"quotes\"\n", SAFETENSORS_F32, 1, {6}, weights},
    };
    const char *keys[] = {"lull", "empty"}, *values[] = {"{\"format\":1,\"ü\":\"\\n\"}", ""};
    assert_int_equal(safetensors_write(path, entries, 6, keys, values, 2, &error), LULL_OK);
    assert_int_equal(temporary_count(), 1);

    safetensors *file;
    assert_int_equal(safetensors_open(path, &file, &error), LULL_OK);
    assert_int_equal(safetensors_count(file), 6);
    assert_string_equal(safetensors_metadata(file, "lull"), values[0]);
    assert_string_equal(safetensors_metadata(file, "empty"), "");
    assert_null(safetensors_metadata(file, "other"));
    for (size_t i = 0; i < 6; i++) {
        const safetensors_tensor *t = safetensors_find(file, entries[i].name);
        assert_non_null(t);
        assert_string_equal(t->name, entries[i].name);
        assert_int_equal(t->dtype, entries[i].dtype);
        assert_int_equal(t->dimensions, entries[i].dimensions);
        for (int d = 0; d < t->dimensions; d++) assert_int_equal(t->shape[d], entries[i].shape[d]);
        size_t size = t->dtype == SAFETENSORS_I64 ? 8 : t->dtype == SAFETENSORS_F32 ? 4 : 1;
        assert_int_equal((uintptr_t)t->data % size, 0);
    }
    assert_null(safetensors_find(file, "layer.0"));
    assert_null(safetensors_find(file, ""));
    assert_null(safetensors_at(file, 6));
    for (size_t i = 0; i < 6; i++) assert_non_null(safetensors_at(file, i));

    float out[6];
    assert_int_equal(safetensors_read_f32(file, "layer.0.weight", out, 6, &error), LULL_OK);
    assert_memory_equal(out, weights, sizeof out);
    assert_int_equal(safetensors_read_f32(file, "halves", out, 3, &error), LULL_OK);
    assert_true(out[0] == 1 && out[1] == 1 && out[2] == 3.140625f); /* ties go to even */
    assert_int_equal(safetensors_read_f32(file, "nothing", out, 0, &error), LULL_OK);
    int64_t read_step;
    memcpy(&read_step, safetensors_find(file, "step")->data, 8);
    assert_true(read_step == step);
    assert_memory_equal(safetensors_find(file, "state")->data, state_bytes, 5);

    assert_int_equal(safetensors_read_f32(file, "layer.0.weight", out, 5, &error), LULL_FORMAT);
    assert_contains(error.message, "6 elements, expected 5");
    assert_int_equal(safetensors_read_f32(file, "absent", out, 5, &error), LULL_FORMAT);
    assert_contains(error.message, "'absent' is missing");
    assert_int_equal(safetensors_read_f32(file, "step", out, 1, &error), LULL_FORMAT);
    assert_contains(error.message, "dtype");
    safetensors_close(file);
    safetensors_close(NULL);
}

static void bfloat16_rounds_to_nearest_even(void **state) {
    (void)state;
    const char *path = temporary_path("bf16.safetensors");
    const float in[] = {0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, -0x1.01p0f, 0x1.fffffep127f,
                        INFINITY,  NAN};
    const float wanted[] = {1, 0x1.04p0f, 0x1.02p0f, -1, INFINITY, INFINITY, NAN};
    const safetensors_entry entry = {"x", SAFETENSORS_BF16, 1, {7}, in};
    assert_int_equal(safetensors_write(path, &entry, 1, NULL, NULL, 0, &error), LULL_OK);
    safetensors *file;
    assert_int_equal(safetensors_open(path, &file, &error), LULL_OK);
    float out[7];
    assert_int_equal(safetensors_read_f32(file, "x", out, 7, &error), LULL_OK);
    for (int i = 0; i < 6; i++) assert_true(out[i] == wanted[i]);
    assert_true(isnan(out[6]));
    safetensors_close(file);
}

static void reads_doubles_at_odd_places(void **state) {
    (void)state;
    size_t total;
    unsigned char *bytes =
        make("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
             "\"b\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[1,17]}}  ",
             17, &total);
    const double values[2] = {0.1, -3};
    memcpy(bytes + total - 16, values, 16);
    safetensors *file;
    assert_int_equal(safetensors_parse(bytes, total, "it", &file, &error), LULL_OK);
    float out[2];
    assert_int_equal(safetensors_read_f32(file, "b", out, 2, &error), LULL_OK);
    assert_true(out[0] == 0.1f && out[1] == -3);
    safetensors_close(file);
    free(bytes);
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void refuses_lies(void **state) {
    (void)state;
    /* offsets */
    refused("{\"x\":" T("F32", "[2]", "[0,8]") "}", 4, "truncated");
    refused("{\"x\":" T("F32", "[1]", "[18446744073709551612,0]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[4,0]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[-4,0]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[0.5,4.5]") "}", 8, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[0]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[0,4,8]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "\"0,4\"") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[0,1e308]") "}", 4, "data_offsets");
    refused("{\"x\":" T("F32", "[1]", "[0,4]") ",\"y\":" T("F32", "[1]", "[0,4]") "}", 4,
            "overlaps");
    refused("{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("F32", "[2]", "[4,12]") "}", 12,
            "overlaps");
    refused("{\"x\":" T("F32", "[1]", "[0,4]") ",\"y\":" T("F32", "[1]", "[8,12]") "}", 12, "hole");
    refused("{\"x\":" T("F32", "[1]", "[0,4]") "}", 6, "belong to no tensor");
    /* shapes */
    refused("{\"x\":" T("F32", "[3]", "[0,8]") "}", 8, "shape");
    refused("{\"x\":" T("BF16", "[2,2]", "[0,16]") "}", 16, "shape");
    refused("{\"x\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "shape");
    refused("{\"x\":" T("F32", "[0]", "[0,4]") "}", 4, "shape");
    refused("{\"x\":" T("F32", "[-1]", "[0,4]") "}", 4, "shape");
    refused("{\"x\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "shape");
    refused("{\"x\":" T("F32", "{}", "[0,4]") "}", 4, "shape");
    /* fields */
    refused("{\"x\":" T("F31", "[1]", "[0,4]") "}", 4, "unknown dtype 'F31'");
    refused("{\"x\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype");
    refused("{\"x\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype");
    refused("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "once each");
    refused("{\"x\":[]}", 0, "once each");
    refused("{\"x\":null}", 0, "once each");
    /* names and metadata */
    refused("{\"x\":" T("F32", "[1]", "[0,4]") ",\"x\":" T("F32", "[1]", "[4,8]") "}", 8, "twice");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "metadata");
    refused("{\"__metadata__\":[]}", 0, "metadata");
    refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "metadata twice");
    /* JSON */
    refused("{\"x\":", 0, "JSON");
    refused("{} {}", 0, "JSON");
    refused("{}x", 0, "JSON");
    refused("{\"x\":\"unterminated}", 0, "JSON");
    refused(" {}", 0, "not a safetensors file");
    refused("[]", 0, "not a safetensors file");
    refused("{\"a\\u0000b\":" T("F32", "[1]", "[0,4]") "}", 4, "NUL");
}

static void refuses_deep_nesting(void **state) {
    (void)state;
    enum { DEPTH = 200000 };
    char *text = malloc(DEPTH * 2 + 16);
    assert_non_null(text);
    strcpy(text, "{\"x\":");
    memset(text + 5, '[', DEPTH);
    memset(text + 5 + DEPTH, ']', DEPTH);
    strcpy(text + 5 + 2 * DEPTH, "}");
    refused(text, 0, "once each");
    free(text);
}

static void refuses_wrong_lengths(void **state) {
    (void)state;
    size_t total;
    unsigned char *bytes = make("{\"x\":" T("F32", "[1]", "[0,4]") "}", 4, &total);
    safetensors *file;
    const uint64_t lengths[] = {0,        1,          total - 7,      total,
                                1u << 31, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)(lengths[k] >> 8 * i);
        assert_int_equal(safetensors_parse(bytes, total, "it", &file, &error), LULL_FORMAT);
        assert_null(file);
    }
    free(bytes);
}

static void refuses_huge_header(void **state) {
    (void)state;
    size_t size = 5u << 20;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, "{}", 2);
    text[size] = '\0';
    refused(text, 0, "expected at most");
    free(text);
}

/* What the tree and the table of a header take is bounded by the header, whatever it promises. */
static void bounds_the_tree(void **state) {
    (void)state;
    static char text[4 << 20];
    size_t at = 0;
    at += (size_t)sprintf(text, "{\"__metadata__\":[\"\"");
    while (at < sizeof text - 16) at += (size_t)sprintf(text + at, ",\"\"");
    sprintf(text + at, "]}");
    refused(text, 0, "metadata must be"); /* it was parsed */
    at = (size_t)sprintf(text, "{\"\":0");
    for (size_t i = 0; i < 1000; i++) at += (size_t)sprintf(text + at, ",\"\":0");
    sprintf(text + at, "}");
    refused(text, 0, "1001 tensors in a header that has room for");
}

static void refuses_every_truncation(void **state) {
    (void)state;
    size_t total;
    unsigned char *bytes =
        make("{\"__metadata__\":{\"lull\":\"{}\"},\"x\":" T("F32", "[1]", "[0,4]") "}", 4, &total);
    for (size_t size = 0; size < total; size++) {
        unsigned char *part = malloc(size + 1);
        assert_non_null(part);
        memcpy(part, bytes, size);
        safetensors *file;
        assert_int_equal(safetensors_parse(part, size, "it", &file, &error), LULL_FORMAT);
        free(part);
    }
    free(bytes);
}

static void survives_mutations(void **state) {
    (void)state;
    size_t total;
    unsigned char *good =
        make("{\"__metadata__\":{\"lull\":\"{}\"},\"x\":" T("F32", "[2,1]", "[0,8]") ",\"yy\":" T(
                 "BF16", "[3]", "[8,14]") "}",
             14, &total);
    unsigned char *bytes = malloc(total);
    assert_non_null(bytes);
    uint32_t random = 1;
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, good, total);
        for (int k = 0; k < 1 + round % 3; k++) {
            random = random * 1664525u + 1013904223u;
            bytes[(random >> 8) % (total - 14)] = (unsigned char)(random >> 24);
        }
        safetensors *file;
        if (safetensors_parse(bytes, total, "it", &file, &error) == LULL_OK) {
            accepted++;
            float out[8];
            for (size_t i = 0; i < safetensors_count(file); i++) {
                const safetensors_tensor *t = safetensors_at(file, i);
                assert_true((const unsigned char *)t->data + t->bytes <= bytes + total);
                safetensors_read_f32(file, t->name, out, 2, NULL);
            }
            safetensors_close(file);
        }
    }
    assert_true(accepted > 0 && accepted < 10000);
    free(bytes);
    free(good);
}

static void bad_files_and_full_disks(void **state) {
    (void)state;
    safetensors *file = (safetensors *)1;
    const char *path = temporary_path("x.safetensors");
    assert_int_equal(safetensors_open(path, &file, &error), LULL_IO);
    assert_null(file);
    assert_contains(error.message, path);
    assert_int_equal(safetensors_open(temporary_folder, &file, &error), LULL_IO);
    assert_contains(error.message, "directory");
    file_put(path, "", 0);
    assert_int_equal(safetensors_open(path, &file, &error), LULL_FORMAT);
    assert_contains(error.message, "empty");
    assert_int_equal(safetensors_open("/dev/zero", &file, &error), LULL_IO);
    float one = 1;
    safetensors_entry entry = {"x", SAFETENSORS_F32, 1, {1}, &one};
    assert_int_equal(safetensors_write("/dev/full", &entry, 1, NULL, NULL, 0, &error), LULL_IO);
    assert_contains(error.message, "/dev/full");
    entry.dtype = SAFETENSORS_OTHER;
    assert_int_equal(safetensors_write(path, &entry, 1, NULL, NULL, 0, &error), LULL_INVALID);
    entry.dtype = SAFETENSORS_F32;
    entry.dimensions = 3;
    entry.shape[0] = entry.shape[1] = entry.shape[2] = (size_t)1 << 32;
    assert_int_equal(safetensors_write(path, &entry, 1, NULL, NULL, 0, &error), LULL_INVALID);
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    size_t total;
    unsigned char *bytes = make("{\"x\":" T("F32", "[1]", "[0,4]") "}", 4, &total);
    for (size_t n = 1; n <= 4; n++) {
        safetensors *file;
        base_memory_fail_at(n);
        assert_int_equal(safetensors_parse(bytes, total, "it", &file, &error), LULL_NO_MEMORY);
        assert_null(file);
    }
    base_memory_fail_at(0);
    free(bytes);
}

/* Another process overwrites the file, in place, while it is opened. */
static atomic_bool overwriting;

static void *overwrite(void *path) {
    size_t size;
    unsigned char *whole = file_get(path, &size);
    while (atomic_load(&overwriting)) {
        FILE *file = fopen(path, "wb"); /* now it is empty */
        for (size_t done = 0; file && done < size; done += 65536)
            fwrite(whole + done, 1, size - done < 65536 ? size - done : 65536, file);
        if (file) fclose(file);
    }
    free(whole);
    return NULL;
}

static void overwritten_while_it_is_opened(void **state) {
    (void)state;
    enum { COUNT = 1 << 20, OPENS = 200 };
    const char *path = temporary_path("model.safetensors");
    float *weights = calloc(COUNT, sizeof *weights);
    assert_non_null(weights);
    const safetensors_entry entry = {"weights", SAFETENSORS_F32, 1, {COUNT}, weights};
    assert_int_equal(safetensors_write(path, &entry, 1, NULL, NULL, 0, &error), LULL_OK);
    atomic_store(&overwriting, true);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, overwrite, (void *)path), 0);
    for (int i = 0; i < OPENS; i++) {
        safetensors *file;
        lull_status status = safetensors_open(path, &file, &error);
        assert_true(status == LULL_OK || status == LULL_FORMAT);
        if (status) continue;
        assert_int_equal(safetensors_read_f32(file, "weights", weights, COUNT, &error), LULL_OK);
        safetensors_close(file);
    }
    atomic_store(&overwriting, false);
    pthread_join(other, NULL);
    free(weights);
}

#define test_here(name) cmocka_unit_test_setup_teardown(name, temporary_begin, temporary_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_here(round_trip),
        test_here(bfloat16_rounds_to_nearest_even),
        cmocka_unit_test(reads_doubles_at_odd_places),
        cmocka_unit_test(refuses_lies),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(refuses_wrong_lengths),
        cmocka_unit_test(refuses_huge_header),
        cmocka_unit_test(bounds_the_tree),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_mutations),
        test_here(overwritten_while_it_is_opened),
        test_here(bad_files_and_full_disks),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
