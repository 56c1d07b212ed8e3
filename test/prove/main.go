package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/doudi-aid/doudi/shared/payout/payouttest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("prove", flag.ContinueOnError)
	replay := f.String("replay", "", "one schedule, as a failure prints it")
	seed := f.Uint64("seed", 0, "one simulated life, as a failure prints it")
	storms := f.Uint64("storms", 10_000, "how many simulated lives, of seeds 1 and on")
	every := f.Int("every", 1, "take every nth provider behaviour only; 1 is all of them")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *every < 1 || f.NArg() > 0 {
		return errors.New("every is at least 1, and no argument is taken")
	}
	if *seed != 0 {
		trace, wrong := born().simulate(*seed)
		fmt.Print(trace)
		return verdict(wrong)
	}
	if *replay != "" {
		return again(*replay)
	}
	debug.SetGCPercent(1000) // a million short lives leave nothing behind
	progress := func(c *count, all int) {
		fmt.Fprintf(os.Stderr, "\r\033[K  %d of %d behaviours, %d schedules, %d wrong ", c.roots.Load(), all, c.total(), c.failed.Load())
	}
	c := enumerate(*every, progress)
	fmt.Fprint(os.Stderr, "\r\033[K")
	fmt.Printf("no crash: %d, one: %d, two: %d, three: %d; %d of them came back to where another had been; %s\n",
		c.deep[0].Load(), c.deep[1].Load(), c.deep[2].Load(), c.deep[3].Load(), c.met.Load(), c.pace())
	files := fileAll(*every, progress)
	fmt.Fprint(os.Stderr, "\r\033[K")
	fmt.Printf("files of %d people, no crash: %d, one: %d, two: %d; %s\n", payees, files.deep[0].Load(), files.deep[1].Load(), files.deep[2].Load(), files.pace())
	intakes := arriveAll(*every, progress)
	fmt.Fprint(os.Stderr, "\r\033[K")
	fmt.Printf("ways in, no crash: %d, one: %d, two: %d; %d of them came back to where another had been; %s\n",
		intakes.deep[0].Load(), intakes.deep[1].Load(), intakes.deep[2].Load(), intakes.met.Load(), intakes.pace())
	for _, line := range slices.Concat(c.lines, files.lines, intakes.lines) {
		fmt.Println(line)
	}
	storm := weathered(*storms)
	for _, line := range storm.lines {
		fmt.Println(line)
	}
	fmt.Printf("%d storms of seeds 1 to %d: all heal but %d\n", *storms, *storms, storm.failed.Load())
	failed := c.failed.Load() + files.failed.Load() + intakes.failed.Load() + storm.failed.Load()
	fmt.Printf("%d passed, %d failed\n", c.total()+files.total()+intakes.total()+int64(*storms)-failed, failed)
	if failed > 0 {
		return errors.New("an invariant is broken")
	}
	return nil
}

// again runs the one schedule that a failure printed.
func again(line string) error {
	if isFiling(line) {
		s, err := parseFiling(line)
		if err != nil {
			return err
		}
		touches, wrong := cabinets().live(s, nowhere{}, nil, nil)
		fmt.Printf("%s\n%d touches of the world\n", s, touches)
		return verdict(wrong)
	}
	if isArrival(line) {
		s, err := parseArrival(line)
		if err != nil {
			return err
		}
		l := lobbies()
		touches, wrong := l.live(s, l.begin, nil, nil)
		fmt.Printf("%s\n%d touches of the world\n", s, touches)
		return verdict(wrong)
	}
	s, err := parse(line)
	if err != nil {
		return err
	}
	l := home(s.office)
	touches, wrong := l.live(s, l.begin, nil, nil)
	fmt.Printf("%s\n%d touches of the world\n", s, touches)
	return verdict(wrong)
}

// home is a life in which schedules of that office can be lived.
func home(office string) *life {
	if office == decided {
		return born()
	}
	return undecided()
}

// verdict prints what is wrong with one life.
func verdict(wrong []string) error {
	for _, w := range wrong {
		fmt.Println("WRONG:", w)
	}
	if len(wrong) > 0 {
		return errors.New("an invariant is broken")
	}
	fmt.Println("nothing is wrong")
	return nil
}

// weathered simulates lives of the seeds 1 to n.
func weathered(n uint64) *count {
	c := &count{}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			l := born()
			for seed := next.Add(1); seed <= n; seed = next.Add(1) {
				if _, wrong := l.simulate(seed); len(wrong) > 0 {
					c.fail(fmt.Sprintf("WRONG %q\n  replay: go run ./test/prove -seed %d", wrong, seed))
				}
			}
		})
	}
	wg.Wait()
	return c
}

// count is how far an enumeration has come.
type count struct {
	roots  atomic.Int64    // provider behaviours done
	deep   [4]atomic.Int64 // schedules run, by the number of crashes in them
	failed atomic.Int64
	met    atomic.Int64 // schedules that ended where another had been
	took   time.Duration
	busy   time.Duration // of the processors

	mu    sync.Mutex
	lines []string // the first failures
}

func (c *count) total() int64 {
	var n int64
	for i := range c.deep {
		n += c.deep[i].Load()
	}
	return n
}

// pace is how long it took.
func (c *count) pace() string {
	return fmt.Sprintf("in %s on %d cores, %.0f a second of processor time", c.took.Round(time.Second), runtime.NumCPU(), float64(c.total())/c.busy.Seconds())
}

func (c *count) fail(line string) {
	c.failed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) < 20 {
		c.lines = append(c.lines, line)
	}
}

// root is a behaviour of provider, callbacks and messages, and how many crashes
// are put into it.
type root struct {
	schedule
	depth int
}

// roots is the space. Where the case is decided already, every behaviour is crossed with every single crash; two
// crashes with every end, send and answer, callbacks and messages taking turns;
// three with every end and send, the rest taking turns.
func roots() []root {
	var all []root
	for e, end := range ends() {
		for i, send := range payouttest.Sends() {
			for j, ask := range payouttest.Asks() {
				for k, chat := range chatters {
					for l, message := range messages {
						depth := 1
						if (e+i+j+k)%len(chatters) == 0 && (i+j+k+l)%len(messages) == 0 {
							depth = 2
						}
						if depth == 2 && (e+i)%len(payouttest.Asks()) == j && l == 0 {
							depth = 3
						}
						all = append(all, root{schedule{office: decided, end: end, send: send, ask: ask, chatter: chat, messages: message}, depth})
					}
				}
			}
		}
	}
	return append(all, officeRoots()...)
}

// officeRoots is the space of what happens while a case is decided: every way of
// deciding with every end and send, the rest taking turns. All single crashes;
// pairs with every way and end but one, whose questions go on for hours; triples
// with every way.
func officeRoots() []root {
	var all []root
	for o, office := range offices {
		for e, end := range ends() {
			for i, send := range payouttest.Sends() {
				turn, depth := o+e+i, 1
				if (o+e)%len(payouttest.Sends()) == i && end.name != "no-funds" {
					depth = 2
				}
				if depth == 2 && e == 0 {
					depth = 3
				}
				all = append(all, root{schedule{office: office, end: end, send: send, ask: payouttest.Asks()[turn%len(payouttest.Asks())],
					chatter: chatters[(turn+e)%len(chatters)], messages: messages[turn%len(messages)]}, depth})
			}
		}
	}
	return all
}

// enumerate runs the space, or every nth behaviour of it. The crashes tried are
// those that can happen: each touch that the life with the crashes before it
// really makes.
func enumerate(every int, show func(*count, int)) *count {
	all := roots()
	return inParallel(len(all), every, show, func(c *count) func(int) {
		before, after := born(), undecided()
		return func(i int) {
			l := before
			if all[i].office != decided {
				l = after
			}
			l.met = 0
			deepening[schedule, moment]{c, l, memory{}, eachWay[schedule]}.run(all[i].schedule, l.begin, all[i].depth)
			c.met.Add(l.met)
		}
	})
}

// inParallel does every nth of so many behaviours, on all processors; worker makes
// what one of them needs. show, when there is one, is told how far it has come.
func inParallel(behaviours, every int, show func(*count, int), worker func(*count) func(int)) *count {
	c := &count{}
	begin, used := time.Now(), processor()
	work := make(chan int)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			do := worker(c)
			for i := range work {
				do(i)
				c.roots.Add(1)
			}
		})
	}
	last := time.Time{}
	for i := 0; i < behaviours; i += every {
		work <- i
		if show != nil && time.Since(last) > time.Second {
			last = time.Now()
			show(c, (behaviours+every-1)/every)
		}
	}
	close(work)
	wg.Wait()
	c.took, c.busy = time.Since(begin), processor()-used
	return c
}

// processor is the time that this process has had of all processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no argument that could be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// script is what happens to one life; S is its own type.
type script[S any] interface {
	fmt.Stringer
	doomed() dooms
	with(dooms) S
}

// instant is a life between two steps.
type instant interface{ touched() int }

// player lives scripts of type S, from an instant of type M on: see life.live.
type player[S, M any] interface {
	live(s S, from M, keep func(M), known memory) (touches int, wrong []string)
}

// deepening runs scripts, and all that come of them by one crash more.
type deepening[S script[S], M instant] struct {
	*count
	player player[S, M]
	known  memory
	// ways are the dooms that are tried on a touch.
	ways func(s S, touch int) []payouttest.Doom
}

// eachWay tries every doom.
func eachWay[S any](S, int) []payouttest.Doom { return payouttest.Dooms() }

// inTurn is every doom for the first crash, and for a later one the next in turn.
func inTurn[S script[S]](s S, touch int) []payouttest.Doom {
	all, before := payouttest.Dooms(), s.doomed()
	if len(before) == 0 {
		return all
	}
	last := before[len(before)-1]
	next := (slices.Index(all, last.doom) + last.touch + touch) % len(all)
	return all[next : next+1]
}

// run lives a script from a moment before its last crash on, and then each that has
// one crash more, later, up to more of them.
func (d deepening[S, M]) run(s S, from M, more int) {
	var moments []M
	var keep func(M)
	if more > 0 {
		// Who is taken up again later must be lived to the end.
		keep = func(m M) { moments = append(moments, m) }
	}
	touches, wrong := d.player.live(s, from, keep, d.known)
	had := s.doomed()
	d.deep[len(had)].Add(1)
	if len(wrong) > 0 {
		d.fail(fmt.Sprintf("WRONG %q\n  replay: make prove REPLAY='%s'", wrong, s))
	}
	if more == 0 {
		return
	}
	before := 0
	for at := had.last() + 1; at <= touches; at++ {
		for before+1 < len(moments) && moments[before+1].touched() < at {
			before++
		}
		begin := from
		if len(moments) > 0 {
			begin = moments[before]
		}
		for _, doom := range d.ways(s, at) {
			d.run(s.with(append(had[:len(had):len(had)], doomed{at, doom})), begin, more-1)
		}
	}
}
