/* What is in a folder, as the operating system has it. */
#ifndef BASE_OS_FOLDER_H
#define BASE_OS_FOLDER_H

typedef struct os_folder os_folder;

/* NULL: it cannot be listed, the reason is in errno. */
os_folder *os_folder_open(const char *path);
/* The next name, in the system's order, "." and ".." among them; until the next call. NULL with
 * errno 0 behind the last one, or with the reason why there is no next. */
const char *os_folder_next(os_folder *folder);
void os_folder_close(os_folder *folder);

#endif
