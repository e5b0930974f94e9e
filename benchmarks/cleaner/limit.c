/*
 * The limit: remove a tree with openat, getdents64 and unlinkat, and nothing besides.
 *
 *     limit THREADS PATH [PROMISES]
 *
 * It is what the other rows of the table are held against, and no cleaner: it trusts everything in the tree, enters
 * mount points, changes modes without looking whose they are, and stops looking for reasons at the first errno. Exit
 * code 0 when the tree is gone.
 *
 * One stack of work for all threads, last in, first out, so that what waits stays small: a subdirectory to empty, or a
 * block of names of a directory that has many. A directory goes when its listing and all that came of it are done.
 * A level keeps a descriptor for as long: the limit on open files is raised as far as it may be.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 32 * 1024, /* of names: what readdir of glibc reads at once */
    BLOCKS_WAITING_MAX = 64, /* more would only be memory: the threads have enough to do */
    LISTINGS_MAX = 8,        /* a file system may skip names when a directory changes while it is listed */
    THREADS_MAX = 64,
};

struct directory {
    struct directory *parent;
    int fd;
    int listings;
    atomic_int pending; /* its own listing, blocks of its names, subdirectories */
    char name[];
};

/* A subdirectory of `directory` with this name, or, with `bytes`, names of `directory`. */
struct work {
    struct work *next;
    struct directory *directory;
    long bytes;
    char text[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct work *stack;
static int sleeping, finished, threads;
static int counting, staying_on_mount, fenced;
static atomic_int blocks_waiting, failures;
static atomic_llong blocks_freed;

static void fail(const char *call, const char *name)
{
    if (atomic_fetch_add(&failures, 1) == 0)
        fprintf(stderr, "limit: %s %s: %s\n", call, name, strerror(errno));
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        perror("limit");
        exit(1);
    }
    return memory;
}

static struct work *new_work(struct directory *directory, size_t room)
{
    struct work *work = allocate(sizeof *work + room);
    work->directory = directory;
    work->bytes = 0;
    return work;
}

static void push(struct work *work)
{
    if (work->directory != NULL)
        atomic_fetch_add(&work->directory->pending, 1);
    pthread_mutex_lock(&mutex);
    work->next = stack;
    stack = work;
    blocks_waiting += work->bytes > 0;
    if (sleeping > 0)
        pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void push_subdirectory(struct directory *directory, const char *name)
{
    struct work *work = new_work(directory, strlen(name) + 1);
    strcpy(work->text, name);
    push(work);
}

/* How many blocks go with this name: none, where the file has another one. */
static long long blocks_of(const struct directory *directory, const char *name)
{
    struct stat status;
    if (fstatat(directory->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_nlink != 1)
        return 0;
    return status.st_blocks;
}

static void remove_name(struct directory *directory, const char *name, unsigned char type)
{
    if (type == DT_DIR) {
        push_subdirectory(directory, name);
        return;
    }
    if (counting)
        atomic_fetch_add(&blocks_freed, blocks_of(directory, name));
    if (unlinkat(directory->fd, name, 0) == 0)
        return;
    /* Listed, and not searched or written: the base of that tree is `chmod -R u+rwx`, too. */
    if (errno == EACCES && fchmod(directory->fd, 0700) == 0 && unlinkat(directory->fd, name, 0) == 0)
        return;
    if (errno == EISDIR && type == DT_UNKNOWN)
        push_subdirectory(directory, name);
    else if (errno != ENOENT)
        fail("unlink", name);
}

static void remove_names(struct directory *directory, const char *text, long bytes)
{
    for (long place = 0; place < bytes;) {
        const struct dirent64 *entry = (const struct dirent64 *)(text + place);
        place += entry->d_reclen;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_name(directory, entry->d_name, entry->d_type);
    }
}

static void list(struct directory *directory)
{
    for (;;) {
        struct work *block = new_work(directory, BLOCK_BYTES);
        block->bytes = syscall(SYS_getdents64, directory->fd, block->text, BLOCK_BYTES);
        /* More than half full: others will follow. */
        if (threads > 1 && block->bytes > BLOCK_BYTES / 2 && blocks_waiting < BLOCKS_WAITING_MAX) {
            push(block);
            continue;
        }
        long bytes = block->bytes;
        if (bytes < 0)
            fail("list", directory->name);
        remove_names(directory, block->text, bytes);
        free(block);
        if (bytes <= 0)
            return;
    }
}

static void finish(void)
{
    pthread_mutex_lock(&mutex);
    finished = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int descriptor_above(const struct directory *directory)
{
    return directory->parent == NULL ? AT_FDCWD : directory->parent->fd;
}

/* One part of it is done; with the last one it goes, and perhaps the directories above it. */
static void done_with_part(struct directory *directory)
{
    while (directory != NULL && atomic_fetch_sub(&directory->pending, 1) == 1) {
        struct directory *parent = directory->parent;
        int stays = fenced && parent == NULL;
        if (!stays && unlinkat(descriptor_above(directory), directory->name, AT_REMOVEDIR) != 0) {
            if (errno == ENOTEMPTY && failures == 0 && directory->listings++ < LISTINGS_MAX) {
                atomic_store(&directory->pending, 1);
                lseek(directory->fd, 0, SEEK_SET);
                list(directory);
                continue;
            }
            fail("rmdir", directory->name);
        }
        close(directory->fd);
        free(directory);
        if (parent == NULL)
            finish();
        directory = parent;
    }
}

static int open_once(int above, const char *name, int inside)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (!inside)
        return openat(above, name, flags);
    struct open_how how = {.flags = flags, .resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return syscall(SYS_openat2, above, name, &how, sizeof how);
}

static int open_directory(const struct directory *parent, const char *name)
{
    int above = parent == NULL ? AT_FDCWD : parent->fd;
    /* Either of the two may have refused. */
    for (int attempt = 0;; attempt++) {
        int fd = open_once(above, name, staying_on_mount && parent != NULL);
        if (fd >= 0 || errno != EACCES || attempt == 2)
            return fd;
        if (fchmodat(above, name, 0700, 0) != 0 && (parent == NULL || fchmod(above, 0700) != 0))
            return -1;
    }
}

static void enter(struct directory *parent, const char *name)
{
    int fd = open_directory(parent, name);
    if (fd < 0) {
        fail("open", name);
        if (parent == NULL)
            finish();
        done_with_part(parent);
        return;
    }
    struct directory *directory = allocate(sizeof *directory + strlen(name) + 1);
    directory->parent = parent;
    directory->fd = fd;
    directory->listings = 1;
    atomic_init(&directory->pending, 1);
    strcpy(directory->name, name);
    list(directory);
    done_with_part(directory);
}

static struct work *take(void)
{
    pthread_mutex_lock(&mutex);
    while (stack == NULL && !finished) {
        sleeping++;
        pthread_cond_wait(&changed, &mutex);
        sleeping--;
    }
    struct work *work = stack;
    if (work != NULL) {
        stack = work->next;
        blocks_waiting -= work->bytes > 0;
    }
    pthread_mutex_unlock(&mutex);
    return work;
}

static void *worker(void *nothing)
{
    struct work *work;
    while ((work = take()) != NULL) {
        if (work->bytes > 0) {
            remove_names(work->directory, work->text, work->bytes);
            done_with_part(work->directory);
        } else {
            enter(work->directory, work->text);
        }
        free(work);
    }
    return nothing;
}

/* As cache_core/landlock.py has it: what changes a file system, beneath the tree only. */
static int raise_fence(const char *path)
{
    const __u64 rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                         (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - LANDLOCK_ACCESS_FS_MAKE_CHAR) | LANDLOCK_ACCESS_FS_REFER |
                         1 << 14; /* LANDLOCK_ACCESS_FS_TRUNCATE: not in the headers of Linux 5.19 */
    struct landlock_ruleset_attr attributes = {.handled_access_fs = rights};
    int rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    int refused = rules < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0 ||
                  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0;
    if (refused)
        fail("fence", path);
    close(beneath.parent_fd);
    close(rules);
    return !refused;
}

int main(int count, char **arguments)
{
    const char *promises = count == 4 ? arguments[3] : "";
    threads = count == 3 || count == 4 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > THREADS_MAX || strspn(promises, "bmf") != strlen(promises)) {
        fprintf(stderr, "usage: limit THREADS PATH [PROMISES]\n");
        return 2;
    }
    counting = strchr(promises, 'b') != NULL;
    staying_on_mount = strchr(promises, 'm') != NULL;
    fenced = strchr(promises, 'f') != NULL;
    if (fenced && !raise_fence(arguments[2]))
        return 1;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    push_subdirectory(NULL, arguments[2]);
    pthread_t others[THREADS_MAX];
    int started = 0;
    while (started < threads - 1 && pthread_create(&others[started], NULL, worker, NULL) == 0)
        started++;
    worker(NULL);
    while (started > 0)
        pthread_join(others[--started], NULL);
    return atomic_load(&failures) > 0 || (!fenced && access(arguments[2], F_OK) == 0);
}
