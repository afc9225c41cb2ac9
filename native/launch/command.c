#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "reader.h"

void command_read(const void *bytes, size_t length, struct command *command) {
  struct reader reader = reader_open(bytes, length, COMMAND_MAGIC);
  command->terminal = reader_u32(&reader);
  command->cols = reader_u32(&reader);
  command->rows = reader_u32(&reader);
  command->directory = reader_string(&reader, 4095);
  uint32_t arguments = reader_count(&reader, COMMAND_ARGUMENTS_MAX);
  for (uint32_t i = 0; i < arguments; i++) command->arguments[i] = reader_string(&reader, COMMAND_BYTES_MAX);
  command->arguments[arguments] = NULL;
  uint32_t variables = reader_count(&reader, COMMAND_ENVIRONMENT_MAX);
  for (uint32_t i = 0; i < variables; i++) command->environment[i] = reader_string(&reader, COMMAND_BYTES_MAX);
  command->environment[variables] = NULL;
  reader_close(&reader);
  if (arguments == 0 || command->terminal > 1 || command->directory[0] != '/' || command->cols > 0xffff || command->rows > 0xffff) {
    errno = 0;
    fault("description", "malformed command");
  }
}

static _Noreturn void give_up(int report, enum command_step step) {
  int words[2] = {(int)step, errno};
  ssize_t ignored = write(report, words, sizeof words);
  (void)ignored;
  _exit(127);
}

static const char *variable(const struct command *command, const char *name) {
  size_t length = strlen(name);
  for (const char *const *entry = command->environment; *entry != NULL; entry++) {
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  return "";
}

/* As execvp(3), but over the command's own PATH and without a shell as a fallback. */
static void execute_by_path(const struct command *command) {
  char *const *arguments = (char *const *)command->arguments;
  char *const *environment = (char *const *)command->environment;
  const char *name = command->arguments[0];
  if (strchr(name, '/') != NULL) {
    execve(name, arguments, environment);
    return;
  }
  int denied = 0;
  for (const char *at = variable(command, "PATH"); *at != 0;) {
    size_t length = strcspn(at, ":");
    char path[4096];
    if (length > 0 && length + strlen(name) + 2 <= sizeof path) {
      snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name);
      execve(path, arguments, environment);
      if (errno == EACCES) denied = 1;
      else if (errno != ENOENT && errno != ENOTDIR) return;
    }
    at += length;
    if (*at == ':') at++;
  }
  errno = denied ? EACCES : ENOENT;
}

_Noreturn void command_execute(const struct command *command, const int stdio[3], int report) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(022);
  /* A supervisor that runs ahead of others lends that to nobody; one that runs behind them is not overtaken. */
  if (getpriority(PRIO_PROCESS, 0) < 0) setpriority(PRIO_PROCESS, 0, 0);
  if (setsid() < 0) give_up(report, STEP_TERMINAL);
  if (command->terminal && ioctl(stdio[0], TIOCSCTTY, 0) != 0) give_up(report, STEP_TERMINAL);
  /* The report pipe goes out of the way first, so that the three below cannot overwrite it. */
  int high = fcntl(report, F_DUPFD_CLOEXEC, 64);
  if (high < 0) give_up(report, STEP_FORK);
  for (int i = 0; i < 3; i++) {
    if (dup2(stdio[i], i) < 0) give_up(high, STEP_FORK);
  }
  /* INVARIANT: the agent's side holds no descriptor of ours; the report pipe closes itself in execve. */
  if (close_range(3, (unsigned)high - 1, 0) != 0 || close_range((unsigned)high + 1, ~0U, 0) != 0) give_up(high, STEP_FORK);
  if (chdir(command->directory) != 0) give_up(high, STEP_DIRECTORY);
  execute_by_path(command);
  give_up(high, STEP_EXECUTE);
}
