/* A message queue without a name. */
#ifndef TESTS_SUPPORT_QUEUE_H
#define TESTS_SUPPORT_QUEUE_H

#include <fcntl.h>
#include <mqueue.h>

#include "support/probe.h"

/* False: the kernel has none. */
UNUSED static bool open_queue(mqd_t *ret_queue) {
  struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8};
  char name[40];
  snprintf(name, sizeof name, "/tricolor-test-%d", (int)getpid());
  *ret_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
  if (*ret_queue == (mqd_t)-1 && errno == ENOSYS) return false;
  CHECK(*ret_queue != (mqd_t)-1, "mq_open: %s", strerror(errno));
  return mq_unlink(name) == 0;
}

UNUSED static void send_and_receive(mqd_t queue) {
  char message[8];
  CHECK(mq_send(queue, "x", 1, 0) == 0, "mq_send: %s", strerror(errno));
  CHECK(mq_receive(queue, message, sizeof message, NULL) == 1, "mq_receive: %s", strerror(errno));
}

#endif
