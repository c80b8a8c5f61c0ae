package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// system is one of the systems under test.
type system string

const (
	posthorn   system = "posthorn"
	naive      system = "naive"
	naiveWAL   system = "naive-wal"
	naiveTuned system = "naive-tuned"
)

// measured are all systems, in the order in which they take turns.
func measured() []system { return []system{naive, naiveWAL, naiveTuned, posthorn} }

// load is how events come: so many per second, whether or not the system keeps up, or as fast as it takes them.
type load int

// closedLoop stands for clients that each post an event when their last one is received everywhere.
const closedLoop load = 0

func (l load) String() string {
	if l == closedLoop {
		return "closed loop"
	}
	return fmt.Sprintf("%d events/s", int(l))
}

// setting is what is measured, one load after the other, on one process of a system.
type setting struct {
	system    system
	endpoints int
	clients   int // of the closed loop
	loads     []load
}

// settings returns everything that can be measured, in the order of one round. The fixed rates are ones that the naive
// design can be expected to stand, and for Posthorn also one that it can't.
func settings() []setting {
	var all []setting
	for _, c := range []struct {
		endpoints, clients int
		loads, ours        []load
	}{
		{1, 32, []load{closedLoop, 50}, []load{150}},
		{10, 16, []load{closedLoop, 10}, []load{50}},
		{100, 8, []load{closedLoop, 1}, []load{20}},
	} {
		for _, s := range measured() {
			loads := c.loads
			if s == posthorn {
				loads = slices.Concat(loads, c.ours)
			}
			all = append(all, setting{s, c.endpoints, c.clients, loads})
		}
	}
	return all
}

// selectCases returns the settings that the flags ask for.
func selectCases(o options) ([]setting, error) {
	var only selection
	for _, word := range strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' }) {
		only.add(strings.TrimSpace(word))
	}
	var cases []setting
	for _, s := range settings() {
		if o.quick && (s.endpoints > 10 || s.system == naiveTuned || s.system == naiveWAL) {
			continue
		}
		s.loads = slices.DeleteFunc(slices.Clone(s.loads), func(l load) bool { return !chosen(only.loads, l) })
		if chosen(only.systems, s.system) && chosen(only.endpoints, s.endpoints) && len(s.loads) > 0 {
			cases = append(cases, s)
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("-only %s leaves nothing to measure", o.only)
	}
	return cases, nil
}

// selection is what -only names. An empty list is no restriction.
type selection struct {
	systems   []system
	endpoints []int
	loads     []load
}

func (s *selection) add(word string) {
	rate, isRate := strings.CutSuffix(word, "/s")
	n, err := strconv.Atoi(rate)
	switch {
	case word == "closed":
		s.loads = append(s.loads, closedLoop)
	case err == nil && isRate:
		s.loads = append(s.loads, load(n))
	case err == nil:
		s.endpoints = append(s.endpoints, n)
	default:
		s.systems = append(s.systems, system(word))
	}
}

func chosen[T comparable](from []T, one T) bool { return len(from) == 0 || slices.Contains(from, one) }
