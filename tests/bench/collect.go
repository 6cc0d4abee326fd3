// The program of collect.c in Go: the same work from the same numbers, with the same checksum.
//
//	collect trees DEPTH | window STEPS | large STEPS
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"unsafe"
)

const (
	minDepth = 4
	threads  = 2
	window   = 100000
	blocks   = 100
)

type node struct{ left, right *node }

func build(depth uint) *node {
	n := new(node)
	if depth > 0 {
		n.left = build(depth - 1)
		n.right = build(depth - 1)
	}
	return n
}

func (n *node) count() uint64 {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

func trees(max uint) uint64 {
	sum := build(max + 1).count()
	stays := build(max)
	for depth := uint(minDepth); depth <= max; depth += 2 {
		for i := 0; i < 1<<(max-depth+minDepth); i++ {
			sum = mix(sum, build(depth).count())
		}
	}
	return mix(sum, stays.count())
}

func size(state *uint64, lowBits, octaves uint64) uint64 {
	r := random(state)
	base := uint64(1) << (lowBits + (r>>32)%octaves)
	return base + r&(base-1)
}

// Words that the collector must look at, as in the C forms; the tag, which is no pointer, stands beside them.
type block struct {
	tag   uint64
	words []unsafe.Pointer
}

func makeBlock(state *uint64) block {
	n := size(state, 4, 6)
	b := block{*state>>1 | 1<<63, make([]unsafe.Pointer, (n+7)/8)}
	b.words[len(b.words)-1] = nil
	return b
}

func run(steps, state uint64) uint64 {
	live := make([]block, window)
	for i := range live {
		live[i] = makeBlock(&state)
	}
	sum := uint64(0)
	for ; steps > 0; steps-- {
		i := random(&state) % window
		if live[i].words[0] != nil {
			panic("a word that was never written")
		}
		sum = mix(sum, live[i].tag)
		live[i] = makeBlock(&state)
	}
	return sum
}

func windows(steps uint64) uint64 {
	var sums [threads]uint64
	var all sync.WaitGroup
	all.Add(threads)
	for t := range sums {
		go func(t int) {
			sums[t] = run(steps, 0x5eed+uint64(t))
			all.Done()
		}(t)
	}
	all.Wait()
	return mix(sums[0], sums[1])
}

func large(steps uint64) uint64 {
	live := make([][]byte, blocks)
	state, sum := uint64(0x5eed), uint64(0)
	for step := uint64(0); step < steps; step++ {
		i := step
		if step >= blocks {
			i = random(&state) % blocks
		}
		if live[i] != nil {
			sum = mix(sum, uint64(live[i][len(live[i])/2]))
		}
		b := make([]byte, size(&state, 16, 4))
		for k := range b { // the compiler knows no other memset
			b[k] = 0
		}
		if fill := byte(step); fill != 0 {
			b[0] = fill
			for k := 1; k < len(b); k *= 2 {
				copy(b[k:], b[:k])
			}
		}
		live[i] = b
	}
	return sum
}

func main() {
	if len(os.Args) < 3 {
		panic("collect trees DEPTH, window STEPS or large STEPS")
	}
	n, err := strconv.ParseUint(os.Args[2], 10, 64)
	if err != nil {
		panic(err)
	}
	loads := map[string]func() uint64{
		"trees":  func() uint64 { return trees(uint(n)) },
		"window": func() uint64 { return windows(n) },
		"large":  func() uint64 { return large(n) },
	}
	fmt.Printf("checksum %s %016x\n", os.Args[1], loads[os.Args[1]]())
}
