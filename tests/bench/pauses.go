// The program of pauses.c in Go: the same heap, the same operations in the same order from the same numbers, timed and
// reported alike, so that Go's collector can be measured beside ours. Stops are in what GODEBUG=gctrace=1 prints.
//
//	pauses local|random MIB SECONDS
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	threads   = 2
	pageNodes = 512
	tickNs    = 2000000
	maxTicks  = 1 << 18
)

type node struct {
	tag   uint64
	other *node
	fill  [6]uint64
}

type page [pageNodes]*node

type worker struct {
	random uint64
	count  [buckets]uint64
	max    uint64
	done   uint64 // read by the clock's goroutine
	_      [128]byte
}

var (
	workers     [threads]worker
	table       []*page
	windowPages uint64
	stopping    uint32
	timeline    []uint32
)

func newNode(tag uint64, other *node) *node {
	n := new(node)
	n.tag = tag
	n.other = other
	for i := range n.fill {
		n.fill[i] = tag
	}
	return n
}

func replace(w *worker, firstPage uint64) {
	r := random(&w.random)
	p := table[firstPage+(r>>32)%windowPages]
	i := r % pageNodes
	old := p[i]
	if old.fill[5] != old.tag {
		panic("a node was overwritten")
	}
	p[i] = newNode(r, nil)
}

func work(number int, done *sync.WaitGroup) {
	w := &workers[number]
	firstPage := uint64(number) * windowPages
	before := nowNs()
	for atomic.LoadUint32(&stopping) == 0 {
		replace(w, firstPage)
		after := nowNs()
		ns := after - before
		w.count[bucketOf(ns)]++
		if ns > w.max {
			w.max = ns
		}
		atomic.StoreUint64(&w.done, w.done+1)
		before = after
	}
	done.Done()
}

func build(mib int) {
	table = make([]*page, mib<<20/(pageNodes*64))
	for p := range table {
		table[p] = new(page)
		for i := range table[p] {
			table[p][i] = newNode(uint64(p), nil)
		}
	}
}

func keepTime(seconds float64) {
	start := nowNs()
	end := start + uint64(seconds*1e9)
	before := uint64(0)
	for now := start; now < end && len(timeline) < maxTicks; now = nowNs() {
		next := start + uint64(len(timeline)+1)*tickNs
		if next > now {
			time.Sleep(time.Duration(next - now))
		}
		done := uint64(0)
		for i := range workers {
			done += atomic.LoadUint64(&workers[i].done)
		}
		// Late after a stop: the operations belong to all the ticks that passed.
		n := int((nowNs()-start)/tickNs) - len(timeline)
		if n < 1 {
			n = 1
		}
		for ; n > 0 && len(timeline) < maxTicks; n-- {
			timeline = append(timeline, uint32((done-before)/uint64(n)))
			before += (done - before) / uint64(n)
		}
	}
	atomic.StoreUint32(&stopping, 1)
}

func longerThan(count *[buckets]uint64, ns uint64) uint64 {
	n := uint64(0)
	for _, c := range count[bucketOf(ns):] {
		n += c
	}
	return n
}

func report(load string, mib int, seconds float64, startedNs uint64) {
	var count [buckets]uint64
	var total, max uint64
	for i := range workers {
		total += addCounts(&count, &workers[i].count)
		if workers[i].max > max {
			max = workers[i].max
		}
	}
	fmt.Printf(`{"load": "%s", "mib": %d, "seconds": %.1f, "main_s": 0.0, "started_s": %.6f, "operations": %d`,
		load, mib, seconds, float64(startedNs)/1e9, total)
	for _, share := range []float64{0.5, 0.99, 0.999, 0.9999, 0.99999} {
		fmt.Printf(`, "p%.5g_us": %.2f`, share*100, float64(percentile(&count, total, share))/1e3)
	}
	fmt.Printf(`, "max_us": %.1f, "over_1ms": %d, "over_10ms": %d`, float64(max)/1e3,
		longerThan(&count, 1000000), longerThan(&count, 10000000))
	fmt.Printf(`, "tick_ms": %g, "timeline": %s}`+"\n", tickNs/1e6,
		strings.ReplaceAll(fmt.Sprint(timeline), " ", ","))
}

func main() {
	if len(os.Args) != 4 || os.Args[1] != "local" && os.Args[1] != "random" {
		fmt.Fprintf(os.Stderr, "usage: %s local|random MIB SECONDS\n", os.Args[0])
		os.Exit(2)
	}
	mib, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	timeline = make([]uint32, 0, maxTicks)
	build(mib)
	windowPages = uint64(len(table)) / threads
	if os.Args[1] == "local" {
		windowPages /= 100
	}
	if windowPages == 0 {
		windowPages = 1
	}
	startedNs := nowNs()
	var done sync.WaitGroup
	done.Add(threads)
	for i := range workers {
		workers[i].random = uint64(i) + 1
		go work(i, &done)
	}
	keepTime(seconds)
	done.Wait()
	report(os.Args[1], mib, seconds, startedNs)
}
