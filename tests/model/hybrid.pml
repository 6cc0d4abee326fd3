/*
 * The hybrid barrier of programs written against the API, as it is going to be built (tri_write and its relatives). Run
 * by run.py with the switches of variants.txt; spin -a hybrid.pml alone checks the default, `stacks=snapshot`.
 *
 * Modelled: OBJECTS objects of FIELDS fields, one global, MUTATORS threads with two registers each (ONE_REGISTER: the
 * second has one; ONE_EACH), without end. The collector runs cycle after cycle; a stop falls between any two steps:
 *
 *   off -> flip (stop): flag on; shade *slot of all published slots, scan the global -> mark: scan stacks, grey slots and
 *     the buffers of running threads, in any order -> termination (stop): flush buffers, finish marking, free the rest
 *
 *   default    scheme A: a thread takes no step between the flip and the scan of its stack; nobody waits for others
 *   TOGETHER   scheme A': nobody takes a step before all stacks are scanned
 *   RESCAN     scheme B: stacks are scanned while threads run, and once more with the global at termination
 *   RAGGED     scheme C: stacks are scanned one by one while threads run; global and fresh objects go through the
 *              barrier. In B and C the barrier shades the new value too (A, A': SHADE_NEW), and publishes it.
 *
 *   model                     code
 *   marking                   the flag that tri_write reads, the phase that the runtime reads
 *   slots, values             arguments of a call under way, in machine registers: roots like them
 *   published, saved          publication in the thread's block; what the handler's wrapper put aside
 *   buffers, entries          the thread's buffer as a set; an entry that is read and has its place, but is not written
 *   tri_write                 publish; read flag; append *slot (and value); store; withdraw: five steps
 *   store_step                also exchange and compare-and-swap (EXCHANGE), of what is there at that moment
 *   bulk_piece                of tri_memmove and tri_memset (BULK): two steps inside the runtime, where no stop falls
 *   free_object               tri_free of what nobody else can reach (FREE): shades the fields; reuse at once
 *   pending, HELD             stacks to be scanned; a thread that waits for that. SLEEP: asleep in a safe region
 *   mark, grey                mark bits; slots to be scanned
 *   handed, child             pthread_create's argument, and the result until it is joined (THREADS_END)
 *   registered                tri_roots_add (REGISTER): the global may become a root at any time
 *
 * More parts of a program: INIT_IS_PLAIN (fresh objects are stored to plainly, but in B and C), HANDLER (a program's
 * signal handler on thread 0, tri_write in it), SYSTEM_CALL (the kernel overwrites a field), CROSS (thread 1 reads and
 * writes thread 0's registers, as if it had the addresses of locals). Smaller steps: READ_IN_STEPS, APPEND_IN_STEPS,
 * DRAIN_IN_STEPS, SCAN_IN_STEPS. To keep it small: ONCE, one cycle from a given heap, without allocation; READER, thread
 * 1 stores to the global only.
 *
 * Checked: when marking ends, every object that is reached from registers, calls under way and the global is marked
 * [lost], and is not on the free list [reclaimed].
 * Not modelled: the sweep (page.pml) and how threads are stopped (stop.pml); weak memory; more than one marker, assists;
 * full buffers (appending one takes the runtime, inside which no stop falls); conservative roots (they mark more);
 * coroutines; a handler on a thread inside the runtime.
 */

#ifndef MUTATORS
#define MUTATORS 2
#endif
#ifndef OBJECTS
#define OBJECTS 2
#endif
#ifndef FIELDS
#define FIELDS 1
#endif

/* What a scheme consists of. */
#if defined(RAGGED) || defined(RESCAN)
#define SHADE_NEW /* and the value is published */
#define SCANNED_LATER
#endif
#if !defined(RAGGED) || defined(PLAIN_GLOBALS)
#define GLOBALS_ARE_PLAIN
#endif
#if !defined(SCANNED_LATER) || defined(PLAIN_INIT)
#define INIT_IS_PLAIN
#endif

#define ALL ((1 << OBJECTS) - 1)
/* An object's bit; 0 for none. */
#define B(o) ((1 << (o)) >> 1)
#define T(t) (1 << (t))
#define GLOBAL (OBJECTS * FIELDS + 1)
#define IN_OBJECT(s) ((s) != GLOBAL)
#if FIELDS == 1
#define SLOT(o, k) (o)
#define OWNER(s) ((s) * IN_OBJECT(s))
#define SLOTS_OF(set) (set)
#else
#define SLOT(o, k) (2 * (o) - 1 + (k))
#define OWNER(s) ((((s) + 1) / 2) * IN_OBJECT(s))
#define SLOTS_OF(set) (((set) & 1) * 3 | ((set) & 2) * 6 | ((set) & 4) * 12)
#endif

#define GET(x, w, i) (((x) >> ((w) * (i))) & ((1 << (w)) - 1))
#define SET(x, w, i, v) x = ((x) & ~(((1 << (w)) - 1) << ((w) * (i)))) | ((v) << ((w) * (i)))
/* What is in slot s; 0 for no slot. */
#define WORD(s) GET(words << 2, 2, s)
#define SET_WORD(s, v) SET(words, 2, (s) - 1, v)
#define REG(i) GET(regs, 2, 2 * _pid + (i))
#define SET_REG(i, v) SET(regs, 2, 2 * _pid + (i), v)
#define SLOT_IN(f) GET(slots, 3, f)
#define VALUE_IN(f) GET(values, 2, f)
#define PUBLISHED(t) GET(published, 3, t)
#define PUBLISH(t, s) SET(published, 3, t, s)
#define BUFFER(t) GET(buffers, 3, t)
#define APPEND(t, set) buffers = buffers | ((set) << (3 * (t)))

#define LINK(s) (B(WORD(s)))
#define FROM(set, s) ((SLOTS_OF(set) >> ((s) - 1)) & 1)
#define LINKS(set, s) (FROM(set, s) * LINK(s))
#if GLOBAL == 3
#define TARGETS(set) (LINKS(set, 1) | LINKS(set, 2))
#elif GLOBAL == 4
#define TARGETS(set) (LINKS(set, 1) | LINKS(set, 2) | LINKS(set, 3))
#else
#define TARGETS(set) (LINKS(set, 1) | LINKS(set, 2) | LINKS(set, 3) | LINKS(set, 4))
#endif

/* Slot and value of a call under way are in the thread's machine registers. */
#define FRAME(f) (B(OWNER(SLOT_IN(f))) | B(VALUE_IN(f)))
#define REGISTERS(t) (B(GET(regs, 2, 2 * (t))) | B(GET(regs, 2, 2 * (t) + 1)))
#define STACK(t) (REGISTERS(t) | FRAME(t) | (((t) == 0) * FRAME(HANDLER_FRAME)))
#define STACKS (STACK(0) | STACK(1))
#define GLOBALS (REGISTERED * LINK(GLOBAL) | HANDED)

#define HANDLER_FRAME 2

/* The program. */
unsigned regs : 8;
#ifdef ONCE
/* One cycle only, no allocation: the global leads to the first object, that to the second. */
unsigned words : 10 = (2 << (2 * FIELDS - 2)) | (1 << (2 * GLOBAL - 2));
unsigned alloc : 3 = 3;
bit flipped;
#define MAY_ALLOCATE 0
#define MAY_FLIP (!flipped)
#define FLIPPED flipped = 1
#define OVER (flipped && !marking)
#else
unsigned words : 10;
unsigned alloc : 3;
#define MAY_ALLOCATE (alloc != ALL)
#define MAY_FLIP 1
#define FLIPPED skip
#define OVER 0
#endif
/* The calls under way, of both threads and of the handler, and who runs. */
unsigned slots : 9;
unsigned values : 6;
#ifdef BULK
unsigned sources : 6; /* slots that are copied; 0: memset */
unsigned inside : 2;  /* threads inside the runtime: no stop */
#else
#define inside 0
#endif
#ifdef BULK_FLAG_ONCE
unsigned flags : 2;
#endif
#ifdef READ_IN_STEPS
unsigned entries : 6; /* read, not in the buffer yet */
#define ENTRY_IN(f) GET(entries, 2, ENTRY_PLACE(f))
#define SET_ENTRY(f, v) SET(entries, 2, ENTRY_PLACE(f), v)
#ifdef ENTRY_THEN_INDEX
#define ENTRY_PLACE(f) ((f) & 1)
#else
#define ENTRY_PLACE(f) (f)
#endif
#endif
#ifdef CAS_EXPECTED
unsigned expected : 4;
#define EXPECTED GET(expected, 2, _pid)
#endif
#ifdef HANDLER
bit handling; /* thread 0 is in the program's signal handler */
unsigned saved : 3;
#else
#define handling 0
#define saved 0
#endif
#ifdef SLEEP
unsigned asleep : 2;
#else
#define asleep 0
#endif
#ifdef THREADS_END
unsigned child : 2; /* thread 1 */
unsigned handed : 2;
#define CHILD_RUNS 0
#define CHILD_ENDED 1
#define CHILD_GONE 2
#define CHILD_STARTS 3
#else
#define child 0
#define handed 0
#define CHILD_RUNS 0
#endif
#define HANDED B(handed)
#ifdef REGISTER
bit registered; /* the global is memory of tri_roots_add */
#define REGISTERED registered
#else
#define REGISTERED 1
#endif
/* The runtime. */
bit marking; /* the flag that barriers read */
unsigned published : 6;
unsigned buffers : 6;
/* The collector. */
unsigned mark : 3;
unsigned grey : 4;    /* slots to be scanned */
unsigned pending : 2; /* threads whose stack is not scanned yet */
#ifdef LEAVE_UNSCANNED
unsigned late : 2;
#else
#define late 0
#endif
#ifdef IN_PIECES
unsigned half_scanned : 2;
#endif
#ifdef DRAIN_IN_STEPS
unsigned taken : 3;
bit taken_from;
#else
#define taken 0
#endif
#ifdef SCAN_IN_STEPS
unsigned found : 2;
#else
#define found 0
#endif
/* Only the assertions read these; zero whenever all is well, and between steps. */
unsigned lost : 3;
unsigned reclaimed : 3;
/* Scratch, zero between steps. */
unsigned a : 1;
unsigned k : 1;
unsigned o : 2;
unsigned set : 3;

inline close_over(s) {
  s = s | TARGETS(s);
  s = s | TARGETS(s);
#if OBJECTS == 3
  s = s | TARGETS(s);
#endif
  skip
}

inline shade(objects) {
  set = (objects) & ~mark;
  mark = mark | set;
  grey = grey | SLOTS_OF(set);
  set = 0
}

/* ---- who may take a step ---- */

#ifdef SCANNED_LATER
#define HELD(t) 0
#else
#define HELD(t) (pending & T(t))
#endif
#define RUNS(t, f) (!HELD(t) && !((f) == 0 && handling))
#define IDLE (RUNS(_pid, _pid) && !(asleep & T(_pid)) && (_pid == 0 || child == CHILD_RUNS) && !OVER)
#ifdef ONE_EACH
#define TWO_REGISTERS(t) 0
#elif defined(ONE_REGISTER)
#define TWO_REGISTERS(t) ((t) == 0)
#else
#define TWO_REGISTERS(t) 1
#endif

/* ---- the barrier ---- */

#ifdef PUBLISH_AFTER_FLAG
#define PUBLISH_FIRST(t, f) skip
#else
#define PUBLISH_FIRST(t, f) PUBLISH(t, SLOT_IN(f))
#endif
#ifdef NEVER_CLEARED
#define CLEAR(t) skip
#else
#define CLEAR(t) PUBLISH(t, 0)
#endif

#if defined(NO_SHADE_OLD)
#define OLD(f) 0
#elif defined(CAS_EXPECTED)
#define OLD(f) GET(expected, 2, f)
#else
#define OLD(f) WORD(SLOT_IN(f))
#endif
#if defined(SHADE_NEW) && !defined(NO_SHADE_NEW)
#define NEW(f) B(VALUE_IN(f))
#else
#define NEW(f) 0
#endif

inline begin(f, slot, value) {
  SET(slots, 3, f, slot);
  SET(values, 2, f, value)
}

/* A thread's registers are interchangeable: kept sorted between calls. */
inline sort(t) {
#ifdef CROSS
  skip
#else
  if
  :: TWO_REGISTERS(t) && GET(regs, 2, 2 * (t)) > GET(regs, 2, 2 * (t) + 1) ->
     o = GET(regs, 2, 2 * (t));
     SET(regs, 2, 2 * (t), GET(regs, 2, 2 * (t) + 1));
     SET(regs, 2, 2 * (t) + 1, o);
     o = 0
  :: else
  fi
#endif
}

inline end_call(f) {
  SET(slots, 3, f, 0);
  SET(values, 2, f, 0)
}

inline append(t, f) {
#if defined(SHADE_MARKS)
  d_step { RUNS(t, f) -> shade(B(OLD(f)) | NEW(f)) }
#elif defined(SHADE_MARKS_CHECKED)
  d_step {
    RUNS(t, f) ->
    if
    :: marking -> shade(B(OLD(f)) | NEW(f))
    :: else
    fi
  }
#elif defined(READ_IN_STEPS)
  d_step { RUNS(t, f) -> SET_ENTRY(f, OLD(f)) };
  d_step { RUNS(t, f) -> APPEND(t, B(ENTRY_IN(f)) | NEW(f)); SET_ENTRY(f, 0) }
#elif defined(APPEND_IN_STEPS)
  d_step { RUNS(t, f) -> APPEND(t, B(OLD(f))) };
  d_step { RUNS(t, f) -> APPEND(t, NEW(f)) }
#else
  d_step { RUNS(t, f) -> APPEND(t, B(OLD(f)) | NEW(f)) }
#endif
}

inline read_flag_and_append(t, f) {
  if
  :: RUNS(t, f) && !marking ->
#ifdef PUBLISH_AFTER_FLAG
     d_step { RUNS(t, f) -> PUBLISH(t, SLOT_IN(f)) }
#else
     skip
#endif
  :: RUNS(t, f) && marking ->
#ifdef PUBLISH_AFTER_FLAG
     d_step { RUNS(t, f) -> PUBLISH(t, SLOT_IN(f)) };
#endif
     append(t, f)
  fi
}

inline pick_register(t) {
  if
  :: a = 0
  :: TWO_REGISTERS(t) -> a = 1
  fi
}

inline pick_field() {
#if FIELDS == 2
  if
  :: k = 0
  :: k = 1
  fi
#else
  skip
#endif
}

/* The store; also what an exchange and a compare-and-swap do, both between the shading and the end of the publication.
 * What the latter expects is null or in a register, or else it fails. */
inline store_step() {
  atomic {
    RUNS(_pid, _pid) ->
    if
#ifdef CAS_EXPECTED
    :: WORD(SLOT_IN(_pid)) == EXPECTED -> SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid))
    :: else
#else
    :: SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid))
#ifdef EXCHANGE
    :: pick_register(_pid);
       o = WORD(SLOT_IN(_pid));
       SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid));
       SET_REG(a, o)
    :: !WORD(SLOT_IN(_pid)) || WORD(SLOT_IN(_pid)) == REG(0) || WORD(SLOT_IN(_pid)) == REG(1) ->
       SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid))
    :: skip
#endif
#endif
    fi;
    a = 0;
    o = 0
  }
}

/* ---- allocation and free ---- */

inline pick_free() {
  if
  :: !(alloc & 1) -> o = 1
  :: !(alloc & 2) -> o = 2
#if OBJECTS == 3
  :: !(alloc & 4) -> o = 3
#endif
  fi
}

#ifdef NEW_WHITE
#define MARK_NEW(o) skip
#else
#define MARK_NEW(o) mark = mark | (marking * B(o))
#endif

inline new_object() {
  pick_free();
  alloc = alloc | B(o);
  MARK_NEW(o);
  SET_REG(a, o)
}

#ifdef FREE_DOES_NOT_SHADE
#define SHADE_FIELDS(o) skip
#else
#define SHADE_FIELDS(o) APPEND(_pid, marking * TARGETS(B(o)))
#endif

inline forget(object) {
#if FIELDS == 2
  SET_WORD(SLOT(object, 1), 0);
#endif
  SET_WORD(SLOT(object, 0), 0)
}

/* tri_free of what nobody else can reach; otherwise nothing. */
inline free_object() {
  o = REG(a);
  SET_REG(a, 0);
  set = STACKS | GLOBALS;
  close_over(set);
  if
  :: set & B(o) -> SET_REG(a, o)
  :: else -> SHADE_FIELDS(o); alloc = alloc & ~B(o); forget(o)
  fi
}

/* ---- bulk copy: two fields, one after the other, each inside the runtime ---- */

#ifdef BULK
#define SOURCE GET(sources, 3, _pid)
#ifdef BULK_STOPPED_INSIDE
#define ENTER_RUNTIME skip
#else
#define ENTER_RUNTIME inside = inside | T(_pid)
#endif
#ifdef BULK_FLAG_ONCE
#define BULK_READ_FLAG(k) flags = ((k) -> flags : (flags & ~T(_pid)) | (marking * T(_pid)))
#define BULK_FLAG ((flags >> _pid) & 1)
#else
#define BULK_READ_FLAG(k) skip
#define BULK_FLAG marking
#endif
#ifdef BULK_READS_TWICE
#define BULK_VALUE WORD(SOURCE)
#else
#define BULK_VALUE VALUE_IN(_pid)
#endif

inline bulk_piece(second) {
  d_step {
    RUNS(_pid, _pid) ->
    ENTER_RUNTIME;
    BULK_READ_FLAG(second);
    SET(values, 2, _pid, WORD(SOURCE));
    APPEND(_pid, BULK_FLAG * (B(OLD(_pid)) | NEW(_pid)))
  };
  d_step {
    RUNS(_pid, _pid) ->
    SET_WORD(SLOT_IN(_pid), BULK_VALUE);
    inside = inside & ~T(_pid);
    if
    :: second -> end_call(_pid); SET(sources, 3, _pid, 0); sort(_pid)
    :: else ->
       begin(_pid, SLOT_IN(_pid) + 1, 0);
       if
       :: SOURCE -> SET(sources, 3, _pid, SOURCE + 1)
       :: else
       fi
    fi
  }
}
#endif

/* ---- mutators: processes 0 and 1 ---- */

#ifdef GLOBALS_ARE_PLAIN
#define WRITES_GLOBAL 0
#else
#define WRITES_GLOBAL 1
#endif
#ifdef READER
#define MAY_WRITE(t) ((t) == 0)
#else
#define MAY_WRITE(t) 1
#endif
#ifdef CAS_EXPECTED
#define END_EXPECTED SET(expected, 2, _pid, 0)
#else
#define END_EXPECTED skip
#endif
#if defined(RAGGED) && !defined(HANDED_NOT_SHADED)
#define SHADE_HANDED APPEND(_pid, marking * HANDED)
#else
#define SHADE_HANDED skip
#endif
#ifdef EXIT_DROPS_BUFFER
#define FLUSH_AT_EXIT skip
#else
#define FLUSH_AT_EXIT shade(marking * BUFFER(1))
#endif

active [MUTATORS] proctype mutator() {
end:
  do
  :: atomic {
      IDLE ->
      pick_register(_pid);
      pick_field();
      if
      :: SET_REG(a, 0)
      :: REGISTERED -> SET_REG(a, WORD(GLOBAL))
#ifdef GLOBALS_ARE_PLAIN
      :: SET_WORD(GLOBAL, REG(a))
      :: SET_WORD(GLOBAL, 0)
#endif
      :: REG(a) -> SET_REG(a, WORD(SLOT(REG(a), k)))
      :: REG(a) && TWO_REGISTERS(_pid) -> SET_REG(1 - a, WORD(SLOT(REG(a), k)))
      :: !REG(a) && MAY_ALLOCATE -> new_object()
#ifdef FREE
      :: REG(a) -> free_object()
#endif
#ifdef CROSS
      :: _pid == 1 -> SET_REG(a, GET(regs, 2, 0))
      :: _pid == 1 -> SET_REG(a, GET(regs, 2, 1))
      :: _pid == 1 -> SET(regs, 2, 0, REG(a))
      :: _pid == 1 -> SET(regs, 2, 1, 0)
#endif
#ifdef REGISTER
      :: registered -> registered = 0
      :: !registered ->
         set = STACKS;
         close_over(set);
         registered = !(LINK(GLOBAL) & ~set)
#endif
#ifdef THREADS_END
      :: _pid == 0 && child == CHILD_GONE -> handed = REG(a); SHADE_HANDED; child = CHILD_STARTS
      :: _pid == 0 && child == CHILD_ENDED -> SET_REG(a, handed); handed = 0; child = CHILD_GONE
      :: _pid == 1 ->
         handed = REG(a);
         SHADE_HANDED;
         FLUSH_AT_EXIT;
         SET(buffers, 3, 1, 0);
         SET(regs, 4, 1, 0);
         PUBLISH(1, 0);
         pending = pending & ~T(1);
         child = CHILD_ENDED
#endif
      fi;
      a = 0;
      k = 0;
      o = 0;
      set = 0;
      sort(_pid)
    }
  :: atomic {
      IDLE && (REGISTERS(_pid) || WRITES_GLOBAL) && MAY_WRITE(_pid) ->
      pick_register(_pid);
      pick_field();
      if
      :: REG(a) -> begin(_pid, SLOT(REG(a), k), REG(a))
      :: REG(a) -> begin(_pid, SLOT(REG(a), k), REG(1 - a))
      :: REG(a) && REG(1 - a) -> begin(_pid, SLOT(REG(a), k), 0)
#ifdef ONE_EACH
      :: REG(a) -> begin(_pid, SLOT(REG(a), k), WORD(GLOBAL))
#endif
#ifndef GLOBALS_ARE_PLAIN
      :: begin(_pid, GLOBAL, REG(a))
      :: REG(a) -> begin(_pid, GLOBAL, 0)
#else
      :: !REG(a) -> begin(_pid, SLOT(REG(1 - a), k), 0)
#endif
      fi;
#ifdef CAS_EXPECTED
      if
      :: skip
      :: REG(0) -> SET(expected, 2, _pid, REG(0))
      :: REG(1) -> SET(expected, 2, _pid, REG(1))
      fi;
#endif
      PUBLISH_FIRST(_pid, _pid);
      a = 0;
      k = 0
    };
#ifdef EXCHANGE_THEN_SHADE
    /* The value is shaded before the exchange, what comes back afterwards. */
    if
    :: d_step { RUNS(_pid, _pid) && marking -> skip };
       d_step { RUNS(_pid, _pid) -> APPEND(_pid, NEW(_pid)) }
    :: d_step { RUNS(_pid, _pid) && !marking -> skip }
    fi;
    atomic {
      RUNS(_pid, _pid) ->
      pick_register(_pid);
      o = WORD(SLOT_IN(_pid));
      SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid));
      SET(values, 2, _pid, o);
      SET_REG(a, o);
      a = 0;
      o = 0
    };
    if
    :: d_step { RUNS(_pid, _pid) && marking -> skip };
       d_step { RUNS(_pid, _pid) -> APPEND(_pid, B(VALUE_IN(_pid))) }
    :: d_step { RUNS(_pid, _pid) && !marking -> skip }
    fi;
#else
    read_flag_and_append(_pid, _pid);
#ifdef CLEAR_BEFORE_STORE
    d_step { RUNS(_pid, _pid) -> CLEAR(_pid) };
#endif
    store_step();
#endif
    d_step { RUNS(_pid, _pid) -> CLEAR(_pid); end_call(_pid); END_EXPECTED; sort(_pid) }
#ifdef INIT_IS_PLAIN
  /* A new object, and its first field stored without a barrier. */
  :: atomic {
      IDLE && MAY_ALLOCATE && TWO_REGISTERS(_pid) && REGISTERS(_pid) && (!REG(0) || !REG(1)) ->
      if
      :: !REG(0) -> a = 0
      :: !REG(1) -> a = 1
      fi;
      pick_field();
      new_object();
      begin(_pid, SLOT(o, k), REG(1 - a));
      a = 0;
      k = 0;
      o = 0
    };
    d_step {
      RUNS(_pid, _pid) ->
      SET_WORD(SLOT_IN(_pid), VALUE_IN(_pid));
      end_call(_pid);
      sort(_pid)
    }
#endif
#ifdef BULK
  :: atomic {
      IDLE && REGISTERS(_pid) && MAY_WRITE(_pid) ->
      if
      :: REG(0) -> a = 0
      :: REG(1) -> a = 1
      fi;
      if
      :: skip
      :: REG(1 - a) -> SET(sources, 3, _pid, SLOT(REG(1 - a), 0))
      fi;
      begin(_pid, SLOT(REG(a), 0), 0);
      a = 0
    };
    bulk_piece(0);
    bulk_piece(1)
#endif
#ifdef SYSTEM_CALL
  /* A system call in a safe region that overwrites a field with data; the kernel does not stop with the world. */
  :: atomic {
      IDLE && REGISTERS(_pid) ->
      if
      :: REG(0) -> a = 0
      :: REG(1) -> a = 1
      fi;
      pick_field();
      begin(_pid, SLOT(REG(a), k), 0);
#ifndef SYSTEM_CALL_NOT_PUBLISHED
      PUBLISH_FIRST(_pid, _pid);
#endif
      a = 0;
      k = 0
    };
#ifndef SYSTEM_CALL_DOES_NOT_SHADE
    read_flag_and_append(_pid, _pid);
#endif
    d_step { SET_WORD(SLOT_IN(_pid), 0) };
    d_step { RUNS(_pid, _pid) -> CLEAR(_pid); end_call(_pid); sort(_pid) }
#endif
#ifdef SLEEP
  :: d_step { IDLE -> asleep = asleep | T(_pid) }
#ifdef LEAVE_UNSCANNED
  :: d_step {
      (asleep & T(_pid)) ->
      asleep = asleep & ~T(_pid);
      late = late | (pending & T(_pid));
      pending = pending & ~T(_pid)
    }
#else
  :: d_step { (asleep & T(_pid)) && !HELD(_pid) -> asleep = asleep & ~T(_pid) }
#endif
#endif
#ifdef THREADS_END
  :: d_step { _pid == 1 && child == CHILD_STARTS -> SET_REG(0, handed); handed = 0; sort(1); child = CHILD_RUNS }
#endif
  od
}

/* ---- the program's signal handler, on thread 0 ---- */

#ifdef HANDLER
#ifdef HANDLER_OVERWRITES
#define RESTORE(t) PUBLISH(t, 0)
#else
#define RESTORE(t) PUBLISH(t, saved)
#endif

active proctype handler() {
end:
  do
  :: atomic {
      RUNS(0, 0) && WORD(GLOBAL) && !OVER ->
      handling = 1;
      saved = PUBLISHED(0);
      if
      :: begin(HANDLER_FRAME, GLOBAL, 0)
      :: begin(HANDLER_FRAME, GLOBAL, WORD(GLOBAL))
      :: begin(HANDLER_FRAME, SLOT(WORD(GLOBAL), 0), 0)
      fi;
      PUBLISH_FIRST(0, HANDLER_FRAME)
    };
    read_flag_and_append(0, HANDLER_FRAME);
    d_step { RUNS(0, HANDLER_FRAME) -> SET_WORD(SLOT_IN(HANDLER_FRAME), VALUE_IN(HANDLER_FRAME)) };
    d_step { RUNS(0, HANDLER_FRAME) -> RESTORE(0); end_call(HANDLER_FRAME); saved = 0; handling = 0 }
  od
}
#endif

/* ---- the collector ---- */

#ifdef FLIP_IGNORES_PUBLISHED
#define HALF_DONE 0
#else
#if defined(FLIP_IGNORES_SLOT)
#define HALF_DONE_SLOTS 0
#elif defined(FLIP_IGNORES_SAVED)
#define HALF_DONE_SLOTS (LINK(PUBLISHED(0)) | LINK(PUBLISHED(1)))
#else
#define HALF_DONE_SLOTS (LINK(PUBLISHED(0)) | LINK(PUBLISHED(1)) | LINK(saved))
#endif
#if defined(FLIP_IGNORES_VALUE) || !defined(SHADE_NEW)
#define HALF_DONE_VALUES 0
#else
#define HALF_DONE_VALUES (B(VALUE_IN(0)) | B(VALUE_IN(1)) | B(VALUE_IN(HANDLER_FRAME)))
#endif
#define HALF_DONE (HALF_DONE_SLOTS | HALF_DONE_VALUES)
#endif

#ifdef HANDED_NOT_ROOT
#define FLIP_HANDED 0
#else
#define FLIP_HANDED HANDED
#endif
#ifdef FLIP_IGNORES_GLOBALS
#define FLIP_GLOBALS FLIP_HANDED
#else
#define FLIP_GLOBALS (REGISTERED * LINK(GLOBAL) | FLIP_HANDED)
#endif
#if defined(SHADE_MARKS) || defined(SHADE_MARKS_CHECKED)
#define FORGET_LEFTOVERS grey = 0
#elif defined(KEEP_LEFTOVERS)
#define FORGET_LEFTOVERS skip
#else
#define FORGET_LEFTOVERS buffers = 0
#endif
#define REGISTERED_THREADS (1 | (MUTATORS == 2 && child == CHILD_RUNS) * 2)

inline flip() {
  d_step {
    MAY_FLIP && !marking && !inside && !taken ->
    FLIPPED;
    marking = 1;
    FORGET_LEFTOVERS;
    shade(HALF_DONE | FLIP_GLOBALS);
#ifdef TOGETHER
    shade(((asleep & 1) == 0) * STACK(0) | ((asleep & 2) == 0) * STACK(1));
    pending = asleep & REGISTERED_THREADS
#else
    pending = REGISTERED_THREADS
#endif
  }
}

#ifdef IN_PIECES
inline scan_stack(t) {
  d_step {
    (pending & T(t)) && !(half_scanned & T(t)) ->
    shade(FRAME(t) | B(GET(regs, 2, 2 * (t))));
    half_scanned = half_scanned | T(t)
  };
  d_step {
    (half_scanned & T(t)) ->
    shade(FRAME(t) | B(GET(regs, 2, 2 * (t) + 1)));
    half_scanned = half_scanned & ~T(t);
    pending = pending & ~T(t)
  }
}
#else
inline scan_stack(t) {
  d_step {
    ((pending | late) & T(t)) && !(inside & T(t)) ->
    shade(STACK(t));
#ifdef PUBLICATION_EVERYWHERE
    shade(LINK(PUBLISHED(t)));
#endif
#ifdef LEAVE_UNSCANNED
    late = late & ~T(t);
#endif
    pending = pending & ~T(t)
  }
}
#endif

/* A running thread's buffer; what is appended after termination is left over [rule 7]. */
#ifdef DRAIN_WHEN_OFF
#define MAY_DRAIN 1
#else
#define MAY_DRAIN marking
#endif
#ifdef DRAIN_IN_STEPS
#ifdef DRAIN_RESETS
#define DRAINED(t) BUFFER(t)
#else
#define DRAINED(t) taken
#endif
inline drain(t) {
  d_step { marking && BUFFER(t) -> taken = BUFFER(t) };
  d_step { shade(taken); buffers = buffers & ~(DRAINED(t) << (3 * (t))); taken = 0 }
}
#else
inline drain(t) {
  d_step {
    MAY_DRAIN && BUFFER(t) ->
    shade(BUFFER(t));
#ifdef DRAIN_PASSES_RESERVED
    SET(entries, 2, t, 0);
    SET(entries, 2, (t) + 2 * !(t), 0);
#endif
    SET(buffers, 3, t, 0)
  }
}
#endif

#ifdef SCAN_IN_STEPS
inline scan_slot(s) {
  d_step { grey & B(s) -> grey = grey & ~B(s); found = WORD(s) };
  d_step { shade(B(found)); found = 0 }
}
#else
inline scan_slot(s) {
  d_step { grey & B(s) -> grey = grey & ~B(s); shade(LINK(s)) }
}
#endif

inline finish_slot(s) {
  if
  :: grey & B(s) -> grey = grey & ~B(s); shade(LINK(s))
  :: else
  fi
}

inline finish() {
  do
  :: grey ->
     finish_slot(1);
     finish_slot(2);
#if GLOBAL > 3
     finish_slot(3);
#endif
#if GLOBAL > 4
     finish_slot(4);
#endif
  :: else -> break
  od
}

inline sweep(object) {
  if
  :: !(alloc & B(object)) -> forget(object)
  :: else
  fi
}

#ifdef NO_FLUSH
#define LAST_BUFFERS 0
#else
#define LAST_BUFFERS (BUFFER(0) | BUFFER(1))
#endif
#ifdef RESCAN
#define LAST_STACKS STACKS
#else
#define LAST_STACKS 0
#endif
#if (defined(RESCAN) || defined(RESCAN_GLOBALS)) && !defined(NO_RESCAN_GLOBALS)
#define LAST_GLOBALS GLOBALS
#else
#define LAST_GLOBALS 0
#endif
#ifdef PUBLICATION_EVERYWHERE
#define LAST_PUBLISHED (LINK(PUBLISHED(0)) | LINK(PUBLISHED(1)))
#else
#define LAST_PUBLISHED 0
#endif

/* The world is stopped: buffers are flushed, marking is finished and looked at, and what is not marked is free. */
inline terminate() {
  d_step {
    marking && !pending && !late && !inside && !taken && !found ->
    shade(LAST_BUFFERS | LAST_STACKS | LAST_GLOBALS | LAST_PUBLISHED);
    finish();
    set = STACKS | GLOBALS;
    close_over(set);
    lost = set & ~mark;
    reclaimed = set & ~alloc;
    assert(lost == 0);
    assert(reclaimed == 0);
    alloc = alloc & mark;
    set = 0;
    buffers = 0;
    sweep(1);
    sweep(2);
#if OBJECTS == 3
    sweep(3);
#endif
    mark = 0;
    marking = 0
  }
}

active proctype collector() {
end:
  do
  :: flip()
  :: scan_stack(0)
  :: scan_stack(1)
  :: drain(0)
  :: drain(1)
  :: scan_slot(1)
  :: scan_slot(2)
#if GLOBAL > 3
  :: scan_slot(3)
#endif
#if GLOBAL > 4
  :: scan_slot(4)
#endif
  :: terminate()
  od
}
