"""The protections that without.py takes out of the code, one at a time, and the forced races that must fail then.

Named as in tests/model/variants.txt where the model has them. `edits`: file, text that stands there once, what takes its
place. `fails`: program, scenario, and stacks= settings; each must end in a failure.
"""
import dataclasses


@dataclasses.dataclass
class Protection:
    name: str
    what: str
    edits: list
    fails: list


ALL = ("snapshot", "together", "ragged")
BLACK = ("snapshot", "together")  # stacks are black when the program resumes
GREY = ("ragged",)


def hybrid(scenario, stacks=ALL):
    return ("races_hybrid", scenario, stacks)


def stops(scenario):
    return ("races_stops", scenario, ())


PUBLISH = """  b->slot = slot;
  b->value = value;
  __asm__ __volatile__("" : : : "memory");
"""
LOOK = "  if (__builtin_expect(b->state & 1, 0)) tri_write_shade(slot, value);\n  TRI_WRITE_POINT();\n"
HEADER = "include/tricolor/barrier.h"

PROTECTIONS = [
    # Half-done stores.
    Protection("FLIP_IGNORES_PUBLISHED", "rule 1: the flip shades for half-done stores",
               [("gc/hybrid.c", "    shade_published(t, stacks_are_grey);\n", "")],
               [hybrid("half done"), hybrid("half done, handled"), hybrid("half done, in handler"),
                hybrid("half done, value", GREY)]),
    Protection("FLIP_IGNORES_SLOT", "of what they overwrite",
               [("gc/hybrid.c", "  shade_slot(slot);\n", "")], [hybrid("half done")]),
    Protection("FLIP_IGNORES_VALUE", "of what they store, where stacks are grey",
               [("gc/hybrid.c", "shade_published(t, stacks_are_grey)", "shade_published(t, false)")],
               [hybrid("half done, value", GREY)]),
    Protection("CLEAR_BEFORE_STORE", "rule 1: published until after the store",
               [(HEADER, LOOK, LOOK.replace("  TRI", "  b->slot = (void *)0;\n  TRI"))], [hybrid("half done")]),
    Protection("PUBLISH_AFTER_FLAG", "rule 1: published before the look at the state",
               [(HEADER, PUBLISH + LOOK, "  unsigned seen = b->state;\n  TRI_WRITE_POINT();\n" + PUBLISH +
                 "  if (seen & 1) tri_write_shade(slot, value);\n")], [hybrid("half done")]),
    Protection("HANDLER_OVERWRITES", "rule 2: a handler puts back what was published",
               [("gc/signals.c", "  tri_barrier_restore(&published);\n", "")], [hybrid("half done, handled")]),
    Protection("FLIP_IGNORES_SAVED", "[HYBRID-3]: the flip sees stores that handlers have interrupted",
               [("gc/hybrid.c", "  for (int i = 0; i < TRI_INTERRUPTED; i++)\n", "  for (int i = 0; i < 0; i++)\n")],
               [hybrid("half done, in handler")]),
    # Shading.
    Protection("NO_SHADE_OLD", "[WRITE-1]: what a store overwrites is shaded",
               [("gc/write.c", "    if (state & TRI_BARRIER_OLD) shade(t, old);\n", "")],
               [hybrid("write"), hybrid("exchange"), hybrid("cas"), hybrid("many"), hybrid("cut")]),
    Protection("NO_SHADE_NEW", "what a store puts there is shaded, where stacks are grey",
               [("gc/write.c", "    if (state & TRI_BARRIER_NEW) shade(t, new_pointer);\n", "")],
               [hybrid("from grey stack", GREY), hybrid("to global", GREY)]),
    Protection("BULK_SHADES_NOTHING", "what bulk forms overwrite is shaded",
               [("gc/write.c", "  if (state & TRI_BARRIER_OLD) shade_words(t, entered, to, size);\n", "")],
               [hybrid("assignment"), hybrid("zero"), hybrid("move")]),
    Protection("BULK_STOPPED_INSIDE", "rule 3: no stop within a piece",
               [("gc/write.c", "static void store_piece(char *to, const char *from, size_t size, bool downwards) {\n"
                 "  struct tri_thread *t = writer();\n  bool entered = tri_runtime_enter(t);\n",
                 "static void store_piece(char *to, const char *from, size_t size, bool downwards) {\n"
                 "  struct tri_thread *t = writer();\n  bool entered = true;\n")], [hybrid("bulk", BLACK)]),
    Protection("BULK_FLAG_ONCE", "rule 3: the state is looked at for each piece",
               [("gc/write.c", "  unsigned state = tri_int_load_rlx(&tri_state.barrier);\n  if (tri_likely(state == 0)) return;\n",
                 "  static TRI_TLS unsigned state, pieces;\n  if (pieces++ == 0) state = tri_int_load_rlx(&tri_state.barrier);\n"
                 "  if (state == 0) return;\n")], [hybrid("bulk", BLACK)]),
    Protection("EXCHANGE_THEN_SHADE", "rule 4: an exchange shades before it acts",
               [("gc/write.c", "    if (tri_barrier_self.state) tri_write_shade(slot, value);\n    TRI_RACE_POINT(SHADED);\n"
                 "    if (tri_cas_acq_rel(slot, (uintptr_t)old, (uintptr_t)value)) return old;\n",
                 "    if (!tri_cas_acq_rel(slot, (uintptr_t)old, (uintptr_t)value)) continue;\n    TRI_RACE_POINT(SHADED);\n"
                 "    if (tri_barrier_self.state) tri_write_shade(&old, value);\n    return old;\n")],
               [hybrid("exchange half way")]),
    Protection("CAS_THEN_SHADE", "rule 4: so does compare-and-swap",
               [("gc/write.c", "int tri_atomic_cas(void *slot, const void *expected, const void *value) {\n",
                 "int tri_atomic_cas(void *slot, const void *expected, const void *value) {\n"
                 "  if (tri_cas_acq_rel(slot, (uintptr_t)expected, (uintptr_t)value)) {\n    TRI_RACE_POINT(SHADED);\n"
                 "    if (tri_barrier_self.state) tri_write_shade(&expected, NULL);\n    return 1;\n  }\n")],
               [hybrid("cas half way")]),
    Protection("FREE_DOES_NOT_SHADE", "rule 5, [WRITE-4]: tri_free shades what the object pointed to",
               [("gc/write.c", "  if (!tri_mspan_noscan(s.span)) shade_words(t, !nested, p, s.span->elemsize);\n", "")],
               [hybrid("free")]),
    Protection("FREE_OF_LARGE_DOES_NOT_SHADE", "[WRITE-4]: a large one is shaded itself",
               [("gc/write.c", "      shade(t, (uintptr_t)p);\n      tri_write_flush(t);\n", "")], [hybrid("free of large")]),
    Protection("REALLOC_DOES_NOT_SHADE", "rule 5: tri_realloc frees like tri_free",
               [("gc/write.c", "  if (tri_likely(tri_int_load_rlx(&tri_state.barrier) == 0)) return;\n  if (!tri_slot_find",
                 "  return;\n  if (!tri_slot_find")], [hybrid("realloc"), hybrid("free"), hybrid("free of large")]),
    Protection("SYSTEM_CALL_DOES_NOT_SHADE", "rule 6: what a system call will overwrite is shaded before it",
               [("gc/kernel_writes.c", "  tri_write_shade_range((void *)range.lo, range.hi - range.lo);\n", "")], [hybrid("read")]),
    Protection("SYSTEM_CALL_NOT_PUBLISHED", "rule 6: the flip shades what sleeping calls will overwrite",
               [("gc/hybrid.c", "  tri_kernel_writes_shade(t, &shader);\n", "")], [hybrid("read asleep")]),
    # Buffers.
    Protection("NO_FLUSH", "[HYBRID-2]: buffers are emptied in the last stop",
               [("gc/hybrid.c", "    shade_new_entries(&t->wbbuf);\n    tri_wbbuf_empty", "    tri_wbbuf_empty")],
               [hybrid("cut")]),
    Protection("LOOKED_AT_PASSED_OVER", "[WB-3]: a buffer that was emptied is looked at from its beginning",
               [("barrier/wbbuf.c", "b->looked_emptied == emptied && ", "")], [hybrid("refilled", BLACK)]),
    Protection("FULL_BUFFER_DROPPED", "a full buffer is marked before it is used again",
               [("gc/write.c", "  tri_write_flush(t);\n  tri_wbbuf_put(&t->wbbuf, pointer);\n",
                 "  tri_wbbuf_empty(&t->wbbuf);\n  tri_wbbuf_put(&t->wbbuf, pointer);\n")], [hybrid("many")]),
    Protection("EXIT_DROPS_BUFFER", "rule 13: a thread that ends empties its buffer",
               [("gc/thread.c", "  tri_mcache_release(&t->mcache);\n  tri_write_flush(t);\n",
                 "  tri_mcache_release(&t->mcache);\n  tri_wbbuf_empty(&t->wbbuf);\n")], [hybrid("thread ends", BLACK)]),
    # New objects.
    Protection("NEW_WHITE", "[CACHE-4]: the slots that a thread has at hand are blackened in the flip",
               [("gc/hybrid.c", "    tri_mcache_blacken_stw(&t->mcache);\n", "")], [hybrid("made at hand")]),
    Protection("NEW_WHITE_GROUP", "[CACHE-4]: and those that it gets later",
               [("alloc/mcache.c", "  if (tri_unlikely(tri_int_load_rlx(&tri_state.barrier))) blacken(h);\n", "")],
               [hybrid("made of new class"), hybrid("made noscan"), hybrid("made typed")]),
    Protection("NEW_WHITE_LARGE", "large objects are born marked",
               [("alloc/mcentral.c", "  if (spanclass < 2 && tri_int_load_rlx(&tri_state.barrier)) tri_store_rlx(&s->bits[0].mark, 1);\n", "")],
               [hybrid("made large")]),
    # Roots.
    Protection("FLIP_IGNORES_GLOBALS", "globals are scanned in the flip",
               [("gc/roots.c", "    if (!is_our_library(info, lo, hi)) add_segment(lo, hi);\n", "")], [hybrid("from global", BLACK)]),
    Protection("STACK_NOT_SCANNED", "[SCAN-1]: a thread scans its stack before it resumes, or when it is told",
               [("gc/scanstack.c", "    shade_words(&t->shader, tri_max(sp, own->frames_hi), own->hi);\n", "")],
               [hybrid("to global", ("snapshot",))]),
    Protection("LEAVE_UNSCANNED", "a sleeper is held while its stack is scanned",
               [("gc/scanstack.c", "  if (tri_region_hold(t)) {\n", "  if (tri_int_load_acq(&t->region) == TRI_REGION_IN) {\n")],
               [hybrid("scanned asleep", GREY)]),
    Protection("HANDED_NOT_ROOT", "rule 13: a new thread's argument is a root",
               [("gc/roots.c", "  tri_thread_record_each_word(fn, arg);\n", "")], [hybrid("argument")]),
    Protection("HANDED_NOT_SHADED", "rule 13: arguments are shaded, where stacks are grey",
               [("gc/pthread_hooks.c", "  if (tri_barrier_self.state) tri_write_shade(&nowhere, pointer);\n", "  (void)nowhere;\n")],
               [hybrid("argument from grey stack", GREY)]),
    # Stops.
    Protection("TEST_BEFORE_CLEARING", "rule 11: the runtime is left first, then a stop is looked for",
               [("gc/stop.h", "  tri_int_store_rlx(&t->in_runtime, 0);\n  tri_fence_sig();\n  TRI_RACE_POINT(LEAVE);\n"
                 "  return tri_unlikely(tri_int_load_rlx(&t->stop_pending)) ? tri_stop_self_with(t, p) : p;\n",
                 "  if (tri_int_load_rlx(&t->stop_pending)) p = tri_stop_self_with(t, p);\n  TRI_RACE_POINT(LEAVE);\n"
                 "  tri_int_store_rlx(&t->in_runtime, 0);\n  return p;\n"),
                ("gc/stop.h", "  tri_int_store_rlx(&t->in_runtime, 0);\n  tri_fence_sig();\n  TRI_RACE_POINT(LEAVE);\n"
                 "  if (tri_unlikely(tri_int_load_rlx(&t->stop_pending))) tri_stop_self(t);\n",
                 "  if (tri_int_load_rlx(&t->stop_pending)) tri_stop_self(t);\n  TRI_RACE_POINT(LEAVE);\n"
                 "  tri_int_store_rlx(&t->in_runtime, 0);\n")], [stops("leaving")]),
    Protection("LEAVE_WITHOUT_LOOKING", "a stop that has found a thread inside is waited for on the way out",
               [("gc/stop.h", "  if (tri_unlikely(tri_int_load_rlx(&t->stop_pending))) tri_stop_self(t);\n", "")], [stops("inside")]),
    Protection("HANDLER_PARKS_IN_RUNTIME", "[STOP-1]: nobody is stopped inside the runtime",
               [("gc/stop.c", "  if (tri_int_load_rlx(&t->in_runtime)) {\n    tri_int_store_rlx(&t->stop_pending, 1);\n  } else {",
                 "  {")], [stops("inside")]),
    Protection("LEAVE_WITHOUT_WAITING", "rule 10: who is held does not leave a safe region",
               [("gc/region.c", "  while (!tri_int_cas_acq_rel(&t->region, TRI_REGION_IN, TRI_REGION_OUT)) {\n",
                 "  tri_int_store_rel(&t->region, TRI_REGION_OUT);\n  while (false) {\n")], [stops("woken"), stops("going in"), stops("turning back")]),
    Protection("ENTER_WITHOUT_LOOKING", "[REGION-3]: a stop is looked for on the way into a safe region",
               [("gc/region.c", "    if (tri_likely(!tri_stop_wanted(t) && !tri_scanstack_is_due(t))) return true;\n", "    return true;\n")],
               [stops("going in late")]),
    Protection("HELD_GOES_BACK", "[REGION-2]: who was held on the way in stays held",
               [("gc/region.c", "    if (!tri_int_cas_acq_rel(&t->region, TRI_REGION_IN, TRI_REGION_OUT)) return true; /* held: the stop knows */\n",
                 "    tri_int_store_rel(&t->region, TRI_REGION_OUT);\n")], [stops("turning back")]),
    Protection("REGISTER_WITHOUT_LOCK", "nobody joins a stopped world",
               [("gc/thread.c", "  uint64_t mask = take_registry(true);\n", "  uint64_t mask = tri_signals_keep_off();\n"),
                ("gc/thread.c", "  if (made) t = make_block(leaving);\n  tri_lock_release(&tri_registry_lock);\n", "  if (made) t = make_block(leaving);\n"),
                ("gc/thread.c", "    reap_left();\n    register_locked(t);\n", "    register_locked(t);\n"),
                ("gc/thread_record.c", "void tri_thread_record_take_over(struct tri_thread_record *r) {\n  bool entered = lock_records();\n",
                 "void tri_thread_record_take_over(struct tri_thread_record *r) {\n"),
                ("gc/thread_record.c", "    own = r;\n  }\n  unlock_records(entered);\n", "    own = r;\n  }\n")],
               [stops("beginning")]),
    Protection("REGISTER_WITH_HANDLERS", "no handler, which may fork, interrupts the holder of the registry outside the runtime",
               [("gc/thread.c", "  TRI_RACE_POINT(THREAD_JOINS);\n", "  tri_signals_let_in(mask);\n  TRI_RACE_POINT(THREAD_JOINS);\n")],
               [stops("joining")]),
    Protection("SCAN_COUNTS_TWICE", "a scan that is due is counted once, whoever does it",
               [("gc/scanstack.c", "  if (tri_int_exchange_acq_rel(&t->scan, TRI_SCAN_NONE) == TRI_SCAN_NONE) return;\n",
                 "  tri_int_store_rel(&t->scan, TRI_SCAN_NONE);\n"),
                ("gc/scanstack.c", "    if (tri_scanstack_is_due(t)) scan(t, t->sp);", "    scan(t, t->sp);")],
               [hybrid("scanned by itself", GREY)]),
    Protection("PACES_LATE", "who is ahead of marking is held back from the first stop on",
               [("gc/cycle.c", "    tri_beside_pace_stw(cycle.heap_start, cycle.expected_work);\n", ""),
                ("gc/cycle.c", "  TRI_RACE_POINT(FLIPPED);\n",
                 "  TRI_RACE_POINT(FLIPPED);\n  tri_beside_pace_stw(cycle.heap_start, cycle.expected_work);\n")],
               [hybrid("held back at once")]),
    # Forking.
    Protection("FORK_TAKES_SIGNALS", "no handler interrupts the holder of the cycle lock or the registry outside the runtime",
               [("gc/signals.c", "  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &others, &old, sizeof old);\n",
                 "  (void)others;\n  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, sizeof old);\n")],
               [stops("joining"), stops("forking"), stops("forked")]),
]
