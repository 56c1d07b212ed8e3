package world_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
)

// childDir makes this test binary serve a world instead of running tests.
const childDir = "DOUDI_TEST_WORLD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := serveChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveChild(dir string) error {
	w, err := world.New(world.Options{Dir: dir, Keys: keys(), Seed: "test", Rate: 1 << 20})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, w.Handler())
}

// TestKilledProcessKeepsItsBook kills the world in the middle of its work and
// looks for every payment it had acknowledged.
func TestKilledProcessKeepsItsBook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	line, err := bank.New(keys().BankConfig("http://"+strings.TrimSpace(address), nil, time.Now, rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	plain, ok := newRig(t, world.Options{}, "").Cast("320400", "plain")
	if !ok {
		t.Fatal("no cast")
	}
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	enough := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				ref := fmt.Sprintf("w%dn%d", worker, i)
				body, err := line.Encode(order(plain, ref))
				if err != nil {
					t.Error(err)
					return
				}
				if line.Send(t.Context(), ref, body).Status != bank.Accepted {
					return // killed
				}
				mu.Lock()
				acknowledged[ref] = true
				if len(acknowledged) == 100 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	wg.Wait()
	again, err := world.New(world.Options{Dir: dir, Keys: keys(), Seed: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	for ref := range acknowledged {
		if n := len(again.Book(world.Filter{Reference: ref})); n != 1 {
			t.Errorf("%s is in the book %d times", ref, n)
		}
	}
}
