package cost

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// Meter counts what passes by in a run. Safe for concurrent use.
type Meter struct {
	mu    sync.Mutex
	units map[Unit]float64
}

// NewMeter counts from nothing.
func NewMeter() *Meter { return &Meter{units: map[Unit]float64{}} }

// Add counts n of u.
func (m *Meter) Add(u Unit, n float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[u] += n
}

// Taken is what was counted so far.
func (m *Meter) Taken() map[Unit]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[Unit]float64{}
	for u, n := range m.units {
		out[u] = n
	}
	return out
}

// Write counts what the functions print, and keeps nothing of it.
func (m *Meter) Write(p []byte) (int, error) {
	m.Add(LogGB, float64(len(p))/1e9)
	return len(p), nil
}

// Engine stands before a DynamoDB engine and counts the capacity that the calls
// consume; the calls of those who are not to be counted pass by. The functions
// do not ask for capacity, so it asks in their name.
func (m *Meter) Engine(engine *url.URL, counts func(function string) bool) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(engine); r.Out.Header.Del("Accept-Encoding") },
		ModifyResponse: func(r *http.Response) error {
			if !counts(r.Request.Header.Get("X-Amz-Security-Token")) {
				return nil
			}
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			_ = r.Body.Close() // it was read to its end
			r.Body = io.NopCloser(bytes.NewReader(raw))
			m.capacity(r.Request.Header.Get("X-Amz-Target"), raw)
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		if body, asked := asking(r.Header.Get("X-Amz-Target"), raw); asked {
			raw = body
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		r.Header.Set("Content-Length", strconv.Itoa(len(raw)))
		proxy.ServeHTTP(w, r)
	})
}

// writes and reads are the calls that consume capacity.
var (
	writes = []string{"PutItem", "TransactWriteItems", "UpdateItem"}
	reads  = []string{"GetItem", "BatchGetItem", "Query"}
)

func kind(target string) (Unit, bool) {
	for _, w := range writes {
		if strings.HasSuffix(target, "."+w) {
			return WriteUnit, true
		}
	}
	for _, r := range reads {
		if strings.HasSuffix(target, "."+r) {
			return ReadUnit, true
		}
	}
	return "", false
}

// asking is a request that asks what it consumes.
func asking(target string, raw []byte) ([]byte, bool) {
	if _, consumes := kind(target); !consumes {
		return nil, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil, false // the engine will say what is wrong with it
	}
	fields["ReturnConsumedCapacity"] = json.RawMessage(`"TOTAL"`)
	out, err := json.Marshal(fields)
	return out, err == nil
}

func (m *Meter) capacity(target string, raw []byte) {
	u, consumes := kind(target)
	if !consumes {
		return
	}
	var one struct {
		Consumed struct{ CapacityUnits float64 } `json:"ConsumedCapacity"`
	}
	if json.Unmarshal(raw, &one) == nil {
		m.Add(u, one.Consumed.CapacityUnits)
		return
	}
	var many struct {
		Consumed []struct{ CapacityUnits float64 } `json:"ConsumedCapacity"`
	}
	if json.Unmarshal(raw, &many) == nil {
		for _, c := range many.Consumed {
			m.Add(u, c.CapacityUnits)
		}
	}
}
