package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/fair"
)

// line has n wait with a key, one after the other, each of which notes when it gets in and leaves at once.
func line(t *testing.T, g *fair.Gate, order *[]string, key string, rank fair.Rank, n int) {
	t.Helper()
	for i := range n {
		go func() {
			leave, err := g.Enter(t.Context(), key, rank)
			if err != nil {
				t.Error(err)
				return
			}
			*order = append(*order, fmt.Sprint(key, i)) // whoever is inside is alone there
			leave()
		}()
		synctest.Wait()
	}
}

func enter(t *testing.T, g *fair.Gate, key string) (leave func()) {
	t.Helper()
	leave, err := g.Enter(t.Context(), key, fair.Beginning)
	require.NoError(t, err)
	return leave
}

func TestKeysTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := fair.New(1)
		leave := enter(t, g, "loud")
		var order []string
		line(t, g, &order, "loud", fair.Beginning, 5)
		line(t, g, &order, "quiet", fair.Beginning, 2)
		line(t, g, &order, "other", fair.Beginning, 1)
		leave()
		synctest.Wait()
		require.Equal(t, []string{"loud0", "quiet0", "other0", "loud1", "quiet1", "loud2", "loud3", "loud4"}, order)
	})
}

func TestWhatFinishesGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := fair.New(1)
		leave := enter(t, g, "a")
		var began, finished []string
		line(t, g, &began, "a", fair.Beginning, 1)
		go func() {
			leave, err := g.Enter(t.Context(), "a", fair.Finishing)
			if err != nil {
				t.Error(err)
				return
			}
			finished = append(finished, began...)
			finished = append(finished, "finished")
			leave()
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		require.Equal(t, []string{"finished"}, finished, "before anything began")
		require.Equal(t, []string{"a0"}, began)
	})
}

func TestNoKeyTakesTheLastPlaceAsWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := fair.New(3)
		first, second := enter(t, g, "loud"), enter(t, g, "loud")
		var order []string
		line(t, g, &order, "loud", fair.Beginning, 2)
		require.Empty(t, order)
		quiet := enter(t, g, "quiet")
		quiet()
		synctest.Wait()
		require.Empty(t, order)
		first()
		synctest.Wait()
		require.Equal(t, []string{"loud0", "loud1"}, order)
		second()
	})
}

// A key with a backlog has one place while others come and go, and all but one again when they have been gone for a second.
func TestABacklogMakesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := fair.New(4)
		enter(t, g, "quiet")()
		var mu sync.Mutex
		inside, most := 0, 0
		var loud sync.WaitGroup
		stay := func(n int) {
			for range n {
				loud.Go(func() {
					leave := enter(t, g, "loud")
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					<-time.After(100 * time.Millisecond)
					mu.Lock()
					inside--
					mu.Unlock()
					leave()
				})
				synctest.Wait()
			}
		}
		during := func(d time.Duration, visits bool) int {
			mu.Lock()
			most = 0
			mu.Unlock()
			for end := time.Now().Add(d); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
				if visits {
					began := time.Now()
					enter(t, g, "quiet")()
					require.Zero(t, time.Since(began), "there is always a place for it")
				}
			}
			mu.Lock()
			defer mu.Unlock()
			return most
		}
		stay(100)
		during(500*time.Millisecond, true) // those that came before there was a backlog leave
		require.Equal(t, 1, during(2*time.Second, true))
		during(time.Second, false)
		require.Equal(t, 3, during(time.Second, false))
		loud.Wait()
	})
}

// A key with a backlog rests after each visit for half as long, until the others have been gone for a second.
func TestABacklogRests(t *testing.T) {
	t.Parallel()
	const visits, visit = 100, 100 * time.Millisecond
	for others, took := range map[bool]time.Duration{
		false: visits * visit,
		true:  visits*visit + 10900*time.Millisecond/3, // others come for the last time after 9.9 s; a third of the time until a second later is rests
	} {
		synctest.Test(t, func(t *testing.T) {
			g := fair.New(2)
			enter(t, g, "quiet")()
			<-time.After(2 * time.Second)
			var loud sync.WaitGroup
			began := time.Now()
			for range visits {
				loud.Go(func() {
					leave := enter(t, g, "loud")
					<-time.After(visit)
					leave()
				})
			}
			if others {
				for range 100 {
					enter(t, g, "quiet")()
					<-time.After(100 * time.Millisecond)
				}
			}
			loud.Wait()
			require.InDelta(t, took.Seconds(), time.Since(began).Seconds(), visit.Seconds())
		})
	}
}

func TestWhoGivesUpTakesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := fair.New(1)
		leave := enter(t, g, "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.Enter(ctx, "a", fair.Beginning)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = g.Enter(ctx, "b", fair.Beginning)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		leave()
		leave() // has no effect
		first := enter(t, g, "a")
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = g.Enter(ctx, "a", fair.Beginning)
		require.ErrorIs(t, err, context.DeadlineExceeded, "there is one place, whoever left twice")
		first()
	})
}

// Whatever comes, goes and gives up in whatever order: there are never more inside than places, no key has the last place
// as well, none is let in more than once while another one waits that has no place, and in the end all places are free.
func TestGateHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			places, keys := 1+random.IntN(4), 1+random.IntN(6)
			most := max(places-1, 1)
			g := fair.New(places)

			var mu sync.Mutex
			inside, insideBy := 0, make(map[string]int)
			waiting := make(map[string]int)           // how many wait with a key
			crowded := make(map[string]bool)          // keys that have had a backlog
			rests := make(map[string]time.Time)       // until when those rest
			passed := make(map[string]map[string]int) // waiting key → how often each other key got in meanwhile
			for range 100 {
				key, rank := fmt.Sprint(random.IntN(keys)), fair.Rank(random.IntN(2))
				patience, stay := time.Duration(1+random.IntN(2000))*time.Millisecond, time.Duration(random.IntN(50))*time.Millisecond
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					mu.Lock()
					if waiting[key]++; waiting[key] == 1 {
						passed[key] = make(map[string]int)
					}
					crowded[key] = crowded[key] || waiting[key] >= 5
					mu.Unlock()
					leave, err := g.Enter(ctx, key, rank)
					mu.Lock()
					waiting[key]--
					if err != nil {
						mu.Unlock()
						return
					}
					inside++
					insideBy[key]++
					if inside > places || insideBy[key] > most {
						t.Errorf("seed %d: %d inside, %d of them %s", seed, inside, insideBy[key], key)
					}
					passed[key] = make(map[string]int)
					for other, by := range passed {
						if other == key || waiting[other] == 0 || insideBy[other] > 0 || !time.Now().After(rests[other]) {
							clear(by)
							continue
						}
						// Those that are given a place at the same moment may come here in any order.
						if by[key]++; by[key] > 1+places {
							t.Errorf("seed %d: %s got in %d times while %s waited", seed, key, by[key], other)
						}
					}
					mu.Unlock()
					<-time.After(stay)
					mu.Lock()
					inside--
					insideBy[key]--
					if crowded[key] {
						rests[key] = time.Now().Add(stay / 2)
					}
					mu.Unlock()
					leave()
				}()
				if random.IntN(3) == 0 {
					<-time.After(time.Duration(random.IntN(40)) * time.Millisecond)
				}
			}
			<-time.After(time.Minute)
			synctest.Wait()
			for i := range places {
				enter(t, g, fmt.Sprint("last", i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := g.Enter(ctx, "no more", fair.Beginning)
			require.Error(t, err)
		})
	}
}
