package telemetry

import "net/http"

// Header carries the trace id to the other side, so that both find a call in
// their logs. It names nobody and is in no signature: losing it loses nothing.
const Header = "X-Request-Id"

// Carry is base with the trace id of each request's context in Header.
func Carry(base http.RoundTripper) http.RoundTripper { return carrier{base} }

type carrier struct{ base http.RoundTripper }

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if id := Trace(r.Context()); id != "" {
		r = r.Clone(r.Context()) // a RoundTripper changes nobody else's request
		r.Header.Set(Header, id)
	}
	return c.base.RoundTrip(r)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (c carrier) CloseIdleConnections() {
	if base, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
