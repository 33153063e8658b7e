/* NumPy's .npz archives (PKWARE's APPNOTE 6.3: local headers, central directory, its end). */
#include "cli/npz.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file_bytes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    MOST_MEMBERS = 4096,
    DEFLATE_MOST = 1040 /* bytes that one deflated byte can become */
};

typedef struct member {
    char *name;
    uint32_t method;
    size_t packed, size, at; /* at: where its packed bytes begin */
} member;

struct npz_file {
    char *path;
    file_bytes bytes;
    member *members;
    size_t count;
};

static uint32_t get(const unsigned char *at, int size) {
    uint32_t value = 0;
    for (int i = size; i-- > 0;) value = value << 8 | at[i];
    return value;
}

static lull_status damaged(const char *path, const char *what, lull_error *error) {
    return base_fail(error, LULL_FORMAT, "'%s' is no readable .npz archive: %s", path, what);
}

/* One entry of the central directory; *at moves behind it. */
static lull_status read_member(npz_file *f, size_t *at, member *m, lull_error *error) {
    const unsigned char *all = f->bytes.data, *c = all + *at;
    if (f->bytes.size - *at < CENTRAL_SIZE || get(c, 4) != CENTRAL)
        return damaged(f->path, "its directory is damaged", error);
    const size_t name = get(c + 28, 2), extra = get(c + 30, 2), comment = get(c + 32, 2);
    const size_t local = get(c + 42, 4);
    if (f->bytes.size - *at - CENTRAL_SIZE < name + extra + comment)
        return damaged(f->path, "its directory is truncated", error);
    m->method = get(c + 10, 2);
    m->packed = get(c + 20, 4);
    m->size = get(c + 24, 4);
    m->name = base_alloc(name + 1, 1);
    if (!m->name) return base_no_memory(error);
    memcpy(m->name, c + CENTRAL_SIZE, name);
    if (name > 4 && strcmp(m->name + name - 4, ".npy") == 0) m->name[name - 4] = '\0';
    *at += CENTRAL_SIZE + name + extra + comment;
    if (m->packed == UINT32_MAX || m->size == UINT32_MAX || local == UINT32_MAX)
        return damaged(f->path, "members beyond 4 GiB", error);
    if (f->bytes.size < LOCAL_SIZE || local > f->bytes.size - LOCAL_SIZE ||
        get(all + local, 4) != LOCAL)
        return damaged(f->path, "a member is not where its directory says", error);
    m->at = local + LOCAL_SIZE + get(all + local + 26, 2) + get(all + local + 28, 2);
    if (m->at > f->bytes.size || m->packed > f->bytes.size - m->at)
        return damaged(f->path, "it is truncated", error);
    return LULL_OK;
}

static lull_status read_directory(npz_file *f, lull_error *error) {
    const unsigned char *all = f->bytes.data;
    const size_t size = f->bytes.size;
    size_t end = size < END_SIZE ? 0 : size - END_SIZE;
    const size_t last = end > 65535 ? end - 65535 : 0;
    if (size < END_SIZE) return damaged(f->path, "it is too short", error);
    while (get(all + end, 4) != END) {
        if (end == last) return damaged(f->path, "it has no directory (truncated?)", error);
        end--;
    }
    size_t at = get(all + end + 16, 4);
    f->count = get(all + end + 10, 2);
    if (f->count > MOST_MEMBERS || at > size)
        return damaged(f->path, "its directory is damaged", error);
    f->members = base_alloc(f->count + 1, sizeof *f->members);
    if (!f->members) return base_no_memory(error);
    for (size_t i = 0; i < f->count; i++) {
        lull_status status = read_member(f, &at, &f->members[i], error);
        if (status) return status;
    }
    return LULL_OK;
}

lull_status npz_open(const char *path, npz_file **file, lull_error *error) {
    *file = NULL;
    npz_file *f = base_alloc(1, sizeof *f);
    if (!f) return base_no_memory(error);
    f->path = base_strdup(path);
    lull_status status =
        f->path ? file_bytes_read_regular(path, &f->bytes, error) : base_no_memory(error);
    if (!status) status = read_directory(f, error);
    if (status)
        npz_close(f);
    else
        *file = f;
    return status;
}

void npz_close(npz_file *file) {
    if (!file) return;
    for (size_t i = 0; file->members && i < file->count; i++) base_free(file->members[i].name);
    base_free(file->members);
    file_bytes_free(&file->bytes);
    base_free(file->path);
    base_free(file);
}

size_t npz_count(const npz_file *file) {
    return file->count;
}

const char *npz_name(const npz_file *file, size_t member) {
    return file->members[member].name;
}

size_t npz_find(const npz_file *file, const char *name) {
    size_t i = 0;
    while (i < file->count && strcmp(file->members[i].name, name) != 0) i++;
    return i;
}

static bool inflate_all(const unsigned char *from, size_t packed, unsigned char *to, size_t size) {
    z_stream z = {0};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    z.next_in = (unsigned char *)from;
    z.avail_in = (uInt)packed;
    z.next_out = to;
    z.avail_out = (uInt)size;
    const int code = inflate(&z, Z_FINISH);
    const bool fine = code == Z_STREAM_END && z.total_out == size;
    inflateEnd(&z);
    return fine;
}

/* The member's bytes, unpacked (base_free). */
static lull_status unpack(const npz_file *f, const member *m, unsigned char **bytes,
                          lull_error *error) {
    const unsigned char *from = (const unsigned char *)f->bytes.data + m->at;
    if (m->method != 0 && m->method != 8)
        return damaged(f->path, "a member is packed by another method than deflate", error);
    if (m->method == 0 ? m->size != m->packed : m->size / DEFLATE_MOST > m->packed)
        return damaged(f->path, "a member says another size than it has", error);
    *bytes = base_alloc(m->size + 1, 1);
    if (!*bytes) return base_no_memory(error);
    if (m->method == 0)
        memcpy(*bytes, from, m->size);
    else if (!inflate_all(from, m->packed, *bytes, m->size)) {
        base_free(*bytes);
        return damaged(f->path, "a member does not unpack", error);
    }
    return LULL_OK;
}

lull_status npz_array(const npz_file *file, size_t member, npy_array *array, lull_error *error) {
    unsigned char *bytes = NULL;
    *array = (npy_array){0};
    lull_status status = unpack(file, &file->members[member], &bytes, error);
    if (status) return status;
    status = npy_parse(bytes, file->members[member].size, file->path, array, error);
    base_free(bytes);
    return status;
}

/* numpy.array(text): a scalar of kind S (bytes) or U (4 bytes a character, ASCII here). */
lull_status npz_text(const npz_file *file, size_t member, char **text, lull_error *error) {
    unsigned char *bytes = NULL;
    const size_t size = file->members[member].size;
    *text = NULL;
    lull_status status = unpack(file, &file->members[member], &bytes, error);
    if (status) return status;
    const size_t header = size < 10 ? 0 : 10 + (size_t)get(bytes + 8, 2);
    const bool wide = header && header <= size && strstr((char *)bytes + 10, "'<U") != NULL;
    const bool plain = header && header <= size && strstr((char *)bytes + 10, "'|S") != NULL;
    if (!wide && !plain) {
        base_free(bytes);
        return damaged(file->path, "its convention is no text", error);
    }
    const size_t step = wide ? 4 : 1, count = (size - header) / step;
    *text = base_alloc(count + 1, 1);
    for (size_t i = 0; *text && i < count; i++) (*text)[i] = (char)bytes[header + i * step];
    base_free(bytes);
    return *text ? LULL_OK : base_no_memory(error);
}

/* ---- writing ------------------------------------------------------------------------------- */

typedef struct packed {
    const char *name;
    unsigned char head[512];
    size_t head_size, size;
    const void *data;
    uint32_t crc;
    size_t at;
} packed;

static void put(unsigned char **at, uint32_t value, int size) {
    for (int i = 0; i < size; i++) *(*at)++ = (unsigned char)(value >> 8 * i);
}

/* Version, flags, method (stored), time, date (1980-01-01), CRC, sizes: as both headers have them.
 */
static void put_facts(unsigned char **at, const packed *p) {
    const uint32_t whole = (uint32_t)(p->head_size + p->size);
    put(at, 20, 2);
    put(at, 0, 2);
    put(at, 0, 2);
    put(at, 0, 2);
    put(at, 0x21, 2);
    put(at, p->crc, 4);
    put(at, whole, 4);
    put(at, whole, 4);
    put(at, (uint32_t)strlen(p->name), 2);
    put(at, 0, 2);
}

static lull_status write_member(atomic_file *file, packed *p, size_t *at, lull_error *error) {
    unsigned char head[LOCAL_SIZE], *to = head;
    p->crc = (uint32_t)crc32(crc32(0, p->head, (uInt)p->head_size), p->data, (uInt)p->size);
    p->at = *at;
    put(&to, LOCAL, 4);
    put_facts(&to, p);
    *at += LOCAL_SIZE + strlen(p->name) + p->head_size + p->size;
    lull_status status = atomic_file_write(file, head, LOCAL_SIZE, error);
    if (!status) status = atomic_file_write(file, p->name, strlen(p->name), error);
    if (!status) status = atomic_file_write(file, p->head, p->head_size, error);
    return status ? status : atomic_file_write(file, p->data, p->size, error);
}

static lull_status write_directory(atomic_file *file, const packed *p, size_t count, size_t at,
                                   lull_error *error) {
    const size_t begin = at;
    lull_status status = LULL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        unsigned char entry[CENTRAL_SIZE], *to = entry;
        put(&to, CENTRAL, 4);
        put(&to, 20, 2);
        put_facts(&to, &p[i]);
        put(&to, 0, 2); /* comment, disk, attributes */
        put(&to, 0, 2);
        put(&to, 0, 2);
        put(&to, 0, 4);
        put(&to, (uint32_t)p[i].at, 4);
        status = atomic_file_write(file, entry, CENTRAL_SIZE, error);
        if (!status) status = atomic_file_write(file, p[i].name, strlen(p[i].name), error);
        at += CENTRAL_SIZE + strlen(p[i].name);
    }
    unsigned char end[END_SIZE], *to = end;
    put(&to, END, 4);
    put(&to, 0, 4);
    put(&to, (uint32_t)count, 2);
    put(&to, (uint32_t)count, 2);
    put(&to, (uint32_t)(at - begin), 4);
    put(&to, (uint32_t)begin, 4);
    put(&to, 0, 2);
    return status ? status : atomic_file_write(file, end, END_SIZE, error);
}

lull_status npz_write(const char *path, const float *data, int dimensions, const size_t *shape,
                      const char *convention, lull_error *error) {
    packed members[2] = {{.name = "mel.npy", .data = data, .size = sizeof *data},
                         {.name = "convention.npy", .data = convention}};
    for (int d = 0; d < dimensions; d++)
        if (__builtin_mul_overflow(members[0].size, shape[d], &members[0].size) ||
            members[0].size > UINT32_MAX / 2)
            return base_fail(error, LULL_UNSUPPORTED,
                             "'%s': the array is too large for an .npz archive; write .npy", path);
    members[1].size = strlen(convention);
    char type[32];
    snprintf(type, sizeof type, "|S%zu", members[1].size);
    members[0].head_size =
        npy_header(members[0].head, sizeof members[0].head, "<f4", dimensions, shape);
    members[1].head_size = npy_header(members[1].head, sizeof members[1].head, type, 0, shape);
    atomic_file *file = NULL;
    size_t at = 0;
    lull_status status = atomic_file_open(path, &file, error);
    if (status) return status;
    for (int i = 0; i < 2 && !status; i++) status = write_member(file, &members[i], &at, error);
    if (!status) status = write_directory(file, members, 2, at, error);
    if (!status) return atomic_file_commit(file, error);
    atomic_file_abandon(file);
    return status;
}

bool cli_is_npz(const char *path) {
    const size_t length = strlen(path);
    return length >= 4 && strcasecmp(path + length - 4, ".npz") == 0;
}
