package world

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// reply is an answer before it is sent. sign, when there is one, makes the
// signature headers over the status and body as they then are.
type reply struct {
	status int
	body   []byte
	sign   func(kind signing, status int, body []byte) http.Header
}

// signing is how an answer is signed.
type signing string

const (
	honestly     signing = ""
	badly        signing = "bad_signature"
	asProbe      signing = "probe_signature"
	notAtAll     signing = "no_signature"
	inThePast    signing = "stale_timestamp"
	toOtherNonce signing = "old_answer"
)

// respond carries out a call the way a rule says: do acts and answers. Whether
// the act happened and whether the caller hears of it are separate.
func (w *World) respond(rw http.ResponseWriter, r *http.Request, line Rule, do func() reply) {
	switch line.Effect {
	case "timeout_before":
		w.hang(rw, r)
		return
	case "cut_before":
		cut(rw)
		return
	case "timeout_after":
		do()
		w.hang(rw, r)
		return
	case "cut_after":
		do()
		cut(rw)
		return
	case "status":
		if line.Done {
			do()
		}
		// What breaks in front of a service is not signed by it.
		http.Error(rw, "upstream error", line.Status)
		return
	case "delay":
		w.wait(r, line.After)
	}
	a := do()
	how := honestly
	switch line.Lie {
	case "garbage":
		a.body = []byte(`{"reference":`)
	case "bad_charset":
		a.body = []byte("{\"reference\":\"\xff\xfe\"}")
	case "redirect":
		rw.Header().Set("Location", "/world/health")
		a.status = http.StatusFound
	case "endless_body":
		w.endless(rw, r)
		return
	case "bad_signature", "probe_signature", "no_signature", "stale_timestamp", "old_answer":
		how = signing(line.Lie)
	}
	if a.sign != nil {
		for k, v := range a.sign(how, a.status, a.body) {
			rw.Header()[k] = v
		}
	}
	if rw.Header().Get("Content-Type") == "" {
		rw.Header().Set("Content-Type", "application/json")
	}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body)
}

// hang keeps the caller waiting until it gives up, then drops the connection.
func (w *World) hang(rw http.ResponseWriter, r *http.Request) {
	w.wait(r, w.options.Hang)
	cut(rw)
}

func (w *World) wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.Context().Done():
	case <-w.closed:
	case <-t.C:
	}
}

// cut breaks the connection without a word.
func cut(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// endless writes up to two gigabytes, for as long as anybody reads.
func (w *World) endless(rw http.ResponseWriter, r *http.Request) {
	rw.WriteHeader(http.StatusOK)
	chunk := []byte(strings.Repeat(`{"status":"paid"}`+"\n", 4096))
	for sent := 0; sent < 2<<30; sent += len(chunk) {
		select {
		case <-r.Context().Done():
			return
		case <-w.closed:
			return
		default:
		}
		if _, err := rw.Write(chunk); err != nil {
			return
		}
	}
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}
