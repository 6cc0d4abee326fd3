# Settings and commands for debugging a program on the collected heap: source tools/gdb/tricolor.gdb
#
# The collector stops threads with a real-time signal: the highest that the program had left free below SIGRTMAX, so
# one of these unless TRICOLOR=signal=N says otherwise. gdb must pass it on and keep quiet.
handle SIG63 nostop noprint pass
handle SIG62 nostop noprint pass
handle SIG61 nostop noprint pass

# Stepping through a program while its threads are stopped for marking shows little: have it collect when you say so.
define tri-gc
  call (void)tri_gc()
end
document tri-gc
Runs a whole collection now, from the selected thread. Not while it is inside malloc, free or the collector.
end

define tri-base
  print tri_base((const void *)($arg0))
  print tri_usable_size(tri_base((const void *)($arg0)))
end
document tri-base
tri-base ADDRESS: the first byte of the object that ADDRESS points into, and its size; 0 when there is none.
end

define tri-stats
  set $tri_stats = (struct tri_stats *)tri_offheap_alloc(sizeof(struct tri_stats))
  set $tri_stats->size = sizeof(struct tri_stats)
  call (int)tri_read_stats($tri_stats)
  print *$tri_stats
  call (void)tri_offheap_free($tri_stats)
end
document tri-stats
Figures of the heap: cycles, live bytes, the goal, pauses. Needs the library's debug information.
end

# Calls that only fatal errors make: stop before the abort, with the culprit on the stack.
define tri-catch
  set breakpoint pending on
  break tri_fatal
  break tri_check_failed
end
document tri-catch
Stops where a misuse or a broken invariant is reported, before the process ends.
end
