/* Files: Windows. Paths are UTF-8 here and UTF-16 there. */
#include "base/os_file.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

enum { PATH_ROOM = 4096, MOST = 1 << 30 };

static bool widen(const char *path, wchar_t *wide) {
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, PATH_ROOM) > 0)
        return true;
    errno = ENOENT;
    return false;
}

static int fill(int result, const struct _stat64 *status, os_facts *facts) {
    if (result != 0) return -1;
    int format = status->st_mode & _S_IFMT;
    *facts = (os_facts){.kind = format == _S_IFREG   ? OS_FILE
                                : format == _S_IFDIR ? OS_FOLDER
                                                     : OS_OTHER,
                        .modified = (int64_t)status->st_mtime * 1000000000,
                        .device = (uint64_t)status->st_dev};
    if (facts->kind == OS_FILE) facts->size = (uint64_t)status->st_size;
    return 0;
}

static void number(HANDLE handle, os_facts *facts) {
    BY_HANDLE_FILE_INFORMATION about;
    if (handle == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(handle, &about)) return;
    facts->device = about.dwVolumeSerialNumber;
    facts->number = (uint64_t)about.nFileIndexHigh << 32 | about.nFileIndexLow;
}

int os_facts_of(const char *path, os_facts *facts) {
    wchar_t wide[PATH_ROOM];
    struct _stat64 status;
    if (!widen(path, wide) || fill(_wstat64(wide, &status), &status, facts)) return -1;
    HANDLE handle = CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    number(handle, facts);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    return 0;
}

int os_facts_of_descriptor(int descriptor, os_facts *facts) {
    struct _stat64 status;
    if (fill(_fstat64(descriptor, &status), &status, facts)) return -1;
    number((HANDLE)_get_osfhandle(descriptor), facts);
    return 0;
}

static int open_as(const char *path, int flags) {
    wchar_t wide[PATH_ROOM];
    if (!widen(path, wide)) return -1;
    /* Opening a folder is "permission denied" here; elsewhere it is opened, and then found to be
     * one. */
    return _wopen(wide, flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}

int os_open_to_read(const char *path) {
    return open_as(path, _O_RDONLY);
}

int os_open_new(const char *path) {
    return open_as(path, _O_RDWR | _O_CREAT | _O_EXCL);
}

int os_open_to_write(const char *path) {
    return open_as(path, _O_WRONLY);
}

int os_close(int descriptor) {
    return _close(descriptor);
}

ptrdiff_t os_read(int descriptor, void *bytes, size_t n) {
    return _read(descriptor, bytes, n < MOST ? (unsigned)n : MOST);
}

ptrdiff_t os_write(int descriptor, const void *bytes, size_t n) {
    return _write(descriptor, bytes, n < MOST ? (unsigned)n : MOST);
}

ptrdiff_t os_write_at(int descriptor, const void *bytes, size_t n, uint64_t place) {
    if (_lseeki64(descriptor, (int64_t)place, SEEK_SET) < 0) return -1;
    return os_write(descriptor, bytes, n);
}

bool os_can_seek(int descriptor) {
    return GetFileType((HANDLE)_get_osfhandle(descriptor)) == FILE_TYPE_DISK;
}

int os_sync(int descriptor) {
    return !os_can_seek(descriptor) || _commit(descriptor) == 0 ? 0 : -1;
}

/* The file system keeps its own journal of names. */
int os_sync_folder_of(const char *path) {
    (void)path;
    return 0;
}

int os_rename(const char *from, const char *to) {
    wchar_t wide_from[PATH_ROOM], wide_to[PATH_ROOM];
    if (!widen(from, wide_from) || !widen(to, wide_to)) return -1;
    if (MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        return 0;
    errno = EACCES;
    return -1;
}

int os_remove(const char *path) {
    wchar_t wide[PATH_ROOM];
    return widen(path, wide) ? _wunlink(wide) : -1;
}

bool os_is_link(const char *path) {
    wchar_t wide[PATH_ROOM];
    const DWORD facts = widen(path, wide) ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    return facts != INVALID_FILE_ATTRIBUTES && (facts & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

/* Links are followed by whoever opens them; what they say is not asked here. */
int os_read_link(const char *path, char *said, size_t room) {
    (void)path, (void)said, (void)room;
    errno = EINVAL;
    return -1;
}

bool os_is_full(int number) {
    return number == ENOSPC;
}

bool os_is_terminal(int descriptor) {
    return _isatty(descriptor) != 0;
}

bool os_program_path(char *path, size_t room) {
    wchar_t wide[PATH_ROOM];
    DWORD length = GetModuleFileNameW(NULL, wide, PATH_ROOM);
    if (length == 0 || length >= PATH_ROOM) return false;
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)room, NULL, NULL) <= 0) return false;
    for (char *c = path; *c; c++)
        if (*c == '\\') *c = '/';
    return true;
}

uint64_t os_unlikely_number(void) {
    static atomic_uint_fast64_t calls;
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    uint64_t mixed = (uint64_t)now.QuadPart ^ (uint64_t)GetCurrentProcessId() << 42;
    mixed += atomic_fetch_add(&calls, 1) * 0x9e3779b97f4a7c15u;
    mixed *= 0xbf58476d1ce4e5b9u;
    return mixed ^ mixed >> 31;
}
