// Package browser shows pages to tests as a person sees them: in a real, headless
// Chromium that scripts/tools keeps in .tools/browser, driven over a pipe of its own
// (Chrome DevTools Protocol), so that no port is open and nothing is linked. It
// knows no page.
package browser

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long the browser may take for one answer.
const patience = 60 * time.Second

// flags keep it at home: no sandbox because tests may run as root, nothing drawn by
// hardware, and none of its own traffic.
var flags = []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-zygote", "--single-process", "--remote-debugging-pipe", "--lang=zh-CN"}

// Page is one tab.
type Page struct {
	t       testing.TB
	in      io.Writer
	session string

	mu      sync.Mutex
	next    int
	waiting map[int]chan message
	events  map[string]chan struct{} // closed at the first of its kind
	wrong   []string
	died    chan struct{}
}

// message is one of the protocol, in either direction.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Open shows address in a tab of that many pixels; both end with t. A machine
// without the browser leaves the test out, which with DOUDI_ENGINES=all is a
// failure.
func Open(t testing.TB, address string, width, height int) *Page {
	t.Helper()
	program, err := find()
	if err != nil {
		if os.Getenv("DOUDI_ENGINES") == "all" {
			t.Fatal(err)
		}
		t.Skipf("LEFT OUT: %v", err)
	}
	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append(flags, "--user-data-dir="+t.TempDir(), "about:blank")...)
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4, as the browser wants them
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toBrowser.Close()
	fromBrowser.Close()
	p := &Page{t: t, in: in, waiting: map[int]chan message{}, events: map[string]chan struct{}{}, died: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.died)
		p.listen(out)
	}()
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // it may have gone by itself
		_ = cmd.Wait()         // killed
		out.Close()
		<-read
	})
	var target struct {
		ID string `json:"targetId"`
	}
	p.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		Session string `json:"sessionId"`
	}
	p.do("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached)
	p.session = attached.Session
	loaded := p.first("Page.loadEventFired")
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Audits"} {
		p.do(domain+".enable", nil, nil)
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}, nil)
	p.do("Page.navigate", map[string]any{"url": address}, nil)
	p.wait(loaded, "the page")
	return p
}

// find is the browser in .tools above the test.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("browser: no go.mod above the test")
		}
	}
	program := filepath.Join(dir, ".tools", "browser", "chromium")
	if _, err := os.Stat(program); err != nil {
		return "", errors.New("browser: no Chromium in .tools/browser; `make tools` installs it")
	}
	return program, nil
}

// listen reads what the browser says until it says no more.
func (p *Page) listen(out io.Reader) {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		raw, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(raw[:len(raw)-1], &m); err != nil {
			p.note("the browser said what is no message: " + err.Error())
			continue
		}
		p.mu.Lock()
		if answer, ok := p.waiting[m.ID]; ok && m.ID != 0 {
			delete(p.waiting, m.ID)
			answer <- m
		}
		if event, ok := p.events[m.Method]; ok {
			delete(p.events, m.Method)
			close(event)
		}
		p.mu.Unlock()
		switch m.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled", "Audits.issueAdded", "Network.loadingFailed":
			p.note(m.Method + " " + string(m.Params))
		}
	}
}

func (p *Page) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = append(p.wrong, what)
}

// first is closed when the next event of that kind comes.
func (p *Page) first(kind string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events[kind] = make(chan struct{})
	return p.events[kind]
}

func (p *Page) wait(c <-chan struct{}, what string) {
	p.t.Helper()
	select {
	case <-c:
	case <-p.died:
		p.t.Fatalf("the browser ended before %s", what)
	case <-time.After(patience):
		p.t.Fatalf("the browser did not answer: %s", what)
	}
}

// do asks the browser for something and reads its answer into out.
func (p *Page) do(method string, params, out any) {
	p.t.Helper()
	answer := make(chan message, 1)
	p.mu.Lock()
	p.next++
	id := p.next
	p.waiting[id] = answer
	p.mu.Unlock()
	args, err := json.Marshal(params)
	if err != nil {
		p.t.Fatal(err)
	}
	if params == nil {
		args = []byte("{}")
	}
	raw, err := json.Marshal(message{ID: id, Session: p.session, Method: method, Params: args})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(raw, 0)); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			p.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if out != nil {
			if err := json.Unmarshal(m.Result, out); err != nil {
				p.t.Fatalf("%s: %v", method, err)
			}
		}
	case <-p.died:
		p.t.Fatalf("%s: the browser ended", method)
	case <-time.After(patience):
		p.t.Fatalf("%s: no answer", method)
	}
}

// Eval reads the value of a script in the page into out. The page's own policy does
// not stop it: it is the test that asks.
func (p *Page) Eval(script string, out any) {
	p.t.Helper()
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	p.do("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}, &r)
	if r.Exception != nil {
		p.t.Fatalf("%s: %s", script, r.Exception.Text)
	}
	if err := json.Unmarshal(r.Result.Value, out); err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
}

// Text is what a person reads on the page.
func (p *Page) Text() string {
	p.t.Helper()
	var text string
	p.Eval("document.body.innerText", &text)
	return text
}

// keys are the codes of the keys that Press knows.
var keys = map[string]int{"Tab": 9, "Enter": 13, "End": 35}

// Press presses and releases a key, named as the DOM names it.
func (p *Page) Press(key string) {
	p.t.Helper()
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		p.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": keys[key]}, nil)
	}
}

// Wrong lists what the browser complained of: errors, policy violations, requests
// that failed, anything on the console.
func (p *Page) Wrong() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.wrong...)
}

// Screenshot writes the whole page as a picture, for people.
func (p *Page) Screenshot(path string) error {
	p.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	p.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		return fmt.Errorf("browser: %w", err)
	}
	return os.WriteFile(path, raw, 0o644)
}
