/* .npy arrays: every type and order that is read, and every way in which a file can be wrong. */
#include "../base/temporary.h"

#include <math.h>

#include "base/memory.h"
#include "io/npy.h"

/* An .npy file in memory: version major.0, the header's text as given, then the data. */
static size_t make(unsigned char *out, int major, const char *header, const void *data,
                   size_t size) {
    size_t length = strlen(header), start = major == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)major;
    out[7] = 0;
    for (size_t i = 8; i < start; i++) out[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(out + start, header, length);
    if (size > 0) memcpy(out + start + length, data, size);
    return start + length + size;
}

static unsigned char buffer[4096];
static lull_error error;

static lull_status parse(int major, const char *header, const void *data, size_t size,
                         npy_array *array) {
    /* Exactly as large as the file, so that a sanitizer sees a read past its end. */
    size_t total = make(buffer, major, header, data, size);
    unsigned char *exact = malloc(total);
    assert_non_null(exact);
    memcpy(exact, buffer, total);
    lull_status status = npy_parse(exact, total, "it.npy", array, &error);
    free(exact);
    if (status) {
        assert_null(array->data);
        assert_contains(error.message, "it.npy");
    }
    return status;
}

static void reads_float32(void **state) {
    (void)state;
    const float data[6] = {1, -2, 3.5f, 4, 5, 6e30f};
    npy_array a;
    for (int major = 1; major <= 2; major++) {
        assert_int_equal(parse(major,
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
                               data, sizeof data, &a),
                         LULL_OK);
        assert_int_equal(a.dimensions, 2);
        assert_int_equal(a.shape[0], 2);
        assert_int_equal(a.shape[1], 3);
        assert_memory_equal(a.data, data, sizeof data);
        npy_free(&a);
        assert_null(a.data);
    }
}

static void reads_doubles_and_halves(void **state) {
    (void)state;
    npy_array a;
    const double doubles[3] = {0.1, -1e300, 7};
    assert_int_equal(parse(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", doubles,
                           sizeof doubles, &a),
                     LULL_OK);
    assert_true(a.dimensions == 1 && a.data[0] == 0.1f && isinf(a.data[1]) && a.data[2] == 7);
    npy_free(&a);
    /* 1, -2, largest, smallest normal, smallest subnormal, largest subnormal, -0, inf, nan, 1/3 */
    const uint16_t halves[10] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001,
                                 0x03ff, 0x8000, 0x7c00, 0x7e01, 0x3555};
    assert_int_equal(parse(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (10,), }", halves,
                           sizeof halves, &a),
                     LULL_OK);
    const float wanted[10] = {1, -2,       65504, 0x1p-14f,   0x1p-24f, 1023 * 0x1p-24f,
                              0, INFINITY, NAN,   0x1.554p-2f};
    for (int i = 0; i < 10; i++) {
        if (i == 8)
            assert_true(isnan(a.data[i]));
        else
            assert_true(a.data[i] == wanted[i]);
    }
    assert_true(signbit(a.data[6]));
    npy_free(&a);
}

static void fortran_order_becomes_c_order(void **state) {
    (void)state;
    npy_array a;
    float data[24];
    /* Element (i, j, k) of shape (2, 3, 4) holds 100 i + 10 j + k; the file has the first index
     * fastest. */
    for (int k = 0, at = 0; k < 4; k++) {
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 2; i++) data[at++] = (float)(100 * i + 10 * j + k);
        }
    }
    assert_int_equal(parse(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4), }", data,
                           sizeof data, &a),
                     LULL_OK);
    for (int i = 0; i < 24; i++) {
        assert_true(a.data[i] == (float)(100 * (i / 12) + 10 * (i / 4 % 3) + i % 4));
    }
    npy_free(&a);
}

static void reads_other_spellings(void **state) {
    (void)state;
    npy_array a;
    const float one = 1;
    const char *fine[] = {
        "{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<f4\"}",
        "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , 1 ) }   \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1, 1, 1), }",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        assert_int_equal(parse(1, fine[i], &one, 4, &a), LULL_OK);
        assert_true(a.data[0] == 1);
        npy_free(&a);
    }
    /* An empty array is an array; bytes behind the data are another's. */
    assert_int_equal(
        parse(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (80, 0), }", &one, 4, &a),
        LULL_OK);
    assert_true(a.dimensions == 2 && a.shape[0] == 80 && a.shape[1] == 0 && a.data);
    npy_free(&a);
}

static void refuses_types(void **state) {
    (void)state;
    npy_array a;
    const char *types[] = {"'>f4'", "'<i4'", "'|O'",   "'<c8'",
                           "'<U5'", "'|b1'", "'<f16'", "[('x', '<f4'), ('y', '<f4')]"};
    const char *found[] = {">f4", "<i4", "|O", "<c8", "<U5", "|b1", "<f16", "record"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char header[128];
        snprintf(header, sizeof header, "{'descr': %s, 'fortran_order': False, 'shape': (1,), }",
                 types[i]);
        assert_int_equal(parse(1, header, "12345678", 8, &a), LULL_FORMAT);
        assert_contains(error.message, found[i]);
        assert_contains(error.message, "astype");
    }
}

static void refuses_hostile_headers(void **state) {
    (void)state;
    npy_array a;
    const char *wrong[] = {
        "",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "[]",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False 'shape': (1,)}",
        "{'descr': '<f4\\x41', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
        "{'descr': [[[[', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999999,)}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(parse(1, wrong[i], "1234", 4, &a), LULL_FORMAT);
    }
    /* Sizes: more than the file, overflowing products, too many dimensions. */
    const char *shapes[] = {"2,",
                            "1, 2",
                            "4611686018427387904,",
                            "4294967296, 4294967296",
                            "9223372036854775807, 9223372036854775807, 3",
                            "1, 1, 1, 1, 1",
                            "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char header[256];
        snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s)}",
                 shapes[i]);
        assert_int_equal(parse(1, header, "1234", 4, &a), LULL_FORMAT);
    }
    assert_int_equal(
        parse(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (300,)}", "1234", 4, &a),
        LULL_FORMAT);
    assert_contains(error.message, "needs 1200 bytes of data, it has 4");
}

/* Every beginning of a good file is refused, and none reads past its end. */
static void refuses_every_truncation(void **state) {
    (void)state;
    const float data[4] = {1, 2, 3, 4};
    npy_array a;
    for (int major = 1; major <= 2; major++) {
        size_t total =
            make(buffer, major, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", data,
                 sizeof data);
        for (size_t size = 0; size < total; size++) {
            unsigned char *part = malloc(size + 1);
            assert_non_null(part);
            memcpy(part, buffer, size);
            assert_int_equal(npy_parse(part, size, "it.npy", &a, &error), LULL_FORMAT);
            assert_null(a.data);
            free(part);
        }
    }
    buffer[6] = 3;
    assert_int_equal(npy_parse(buffer, 200, "it.npy", &a, &error), LULL_FORMAT);
    assert_contains(error.message, "version 3.0");
    make(buffer, 2, "x", "", 0);
    buffer[11] = 0x7f; /* a header of 2 GiB */
    assert_int_equal(npy_parse(buffer, 200, "it.npy", &a, &error), LULL_FORMAT);
    assert_contains(error.message, "header of");
    memset(buffer, 'x', 200);
    assert_int_equal(npy_parse(buffer, 200, "it.npy", &a, &error), LULL_FORMAT);
    assert_contains(error.message, "not an .npy file");
}

/* Bytes changed at random: any status, but never a crash, and never data on failure. */
static void survives_mutations(void **state) {
    (void)state;
    float data[16] = {0};
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        size_t total =
            make(buffer, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2, 4), }", data,
                 sizeof data);
        unsigned char *exact = malloc(total);
        assert_non_null(exact);
        memcpy(exact, buffer, total);
        for (int k = 0; k < 3; k++) {
            random = random * 1664525u + 1013904223u;
            exact[(random >> 8) % 72] = (unsigned char)(random >> 24);
        }
        npy_array a;
        if (npy_parse(exact, total, "it.npy", &a, NULL) == LULL_OK)
            npy_free(&a);
        else
            assert_null(a.data);
        free(exact);
    }
}

static void writes_what_it_reads(void **state) {
    (void)state;
    const char *path = temporary_path("out.npy");
    float data[80 * 7];
    for (int i = 0; i < 80 * 7; i++) data[i] = (float)i * 0.37f - 5;
    const size_t shapes[5][4] = {{0}, {560}, {80, 7}, {1, 80, 7}, {2, 2, 20, 7}};
    for (int dimensions = 0; dimensions <= 4; dimensions++) {
        assert_int_equal(npy_write(path, data, dimensions, shapes[dimensions], &error), LULL_OK);
        npy_array a;
        assert_int_equal(npy_read(path, &a, &error), LULL_OK);
        assert_int_equal(a.dimensions, dimensions);
        assert_memory_equal(a.shape, shapes[dimensions], (size_t)dimensions * sizeof(size_t));
        assert_memory_equal(a.data, data, dimensions == 0 ? 4 : sizeof data);
        npy_free(&a);
        size_t count, elements = 1;
        for (int d = 0; d < dimensions; d++) elements *= shapes[dimensions][d];
        assert_int_equal(npy_count(path, &count, &error), LULL_OK);
        assert_int_equal(count, elements);
        size_t size;
        unsigned char *bytes = file_get(path, &size);
        size_t head = 10 + (size_t)bytes[8] + ((size_t)bytes[9] << 8);
        assert_int_equal(head % 64, 0);
        assert_int_equal(bytes[head - 1], '\n');
        assert_int_equal(size, head + (dimensions == 0 ? 4 : sizeof data));
        free(bytes);
    }
    assert_int_equal(temporary_count(), 1);
    const size_t huge[4] = {SIZE_MAX, 2, 1, 1};
    assert_int_equal(npy_write(path, data, 2, huge, &error), LULL_INVALID);
    assert_int_equal(npy_write(path, data, 5, huge, &error), LULL_INVALID);
    assert_int_equal(npy_write("/dev/full", data, 1, shapes[1], &error), LULL_IO);
    assert_contains(error.message, "/dev/full");
}

static void reports_missing_files(void **state) {
    (void)state;
    npy_array a;
    const char *path = temporary_path("none.npy");
    assert_int_equal(npy_read(path, &a, &error), LULL_IO);
    assert_contains(error.message, path);
    size_t count = 1;
    assert_int_equal(npy_count(path, &count, &error), LULL_IO);
    assert_int_equal(count, 0);
    assert_int_equal(npy_read(temporary_folder, &a, &error), LULL_IO);
    assert_contains(error.message, "directory");
    file_put(path, "", 0);
    assert_int_equal(npy_read(path, &a, &error), LULL_FORMAT);
    assert_contains(error.message, "empty");
    assert_null(a.data);
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    const char *path = temporary_path("out.npy");
    const float data[4] = {1, 2, 3, 4};
    const size_t shape[1] = {4};
    assert_int_equal(npy_write(path, data, 1, shape, &error), LULL_OK);
    for (size_t n = 1; n <= 2; n++) {
        npy_array a;
        base_memory_fail_at(n);
        assert_int_equal(npy_read(path, &a, &error), LULL_NO_MEMORY);
        assert_null(a.data);
    }
    base_memory_fail_at(0);
}

#define test_here(name) cmocka_unit_test_setup_teardown(name, temporary_begin, temporary_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_float32),
        cmocka_unit_test(reads_doubles_and_halves),
        cmocka_unit_test(fortran_order_becomes_c_order),
        cmocka_unit_test(reads_other_spellings),
        cmocka_unit_test(refuses_types),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_mutations),
        test_here(writes_what_it_reads),
        test_here(reports_missing_files),
        test_here(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
