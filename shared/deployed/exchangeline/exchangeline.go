// Package exchangeline is the deployed line to the government data-sharing
// exchange.
package exchangeline

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/exchange"
)

// secret is what the operator puts into the exchange's secret. Bytes are base64.
type secret struct {
	App        string            `json:"app"`
	KeyID      string            `json:"key_id"`
	Key        []byte            `json:"key"`
	AnswerKeys map[string][]byte `json:"answer_keys"`
}

// Line is where the exchange is.
type Line struct {
	w      *deployed.World
	base   string
	secret secrets.Secret
}

// In is the line that the settings name.
func In(w *deployed.World) Line {
	return Line{w, w.Settings.Address("DOUDI_EXCHANGE_URL"), secrets.Named(w, "DOUDI_EXCHANGE_SECRET")}
}

// Open is the client of the exchange.
func (l Line) Open(ctx context.Context, r *secrets.Reading) (*exchange.Client, error) {
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return nil, err
	}
	return exchange.New(exchange.Config{BaseURL: l.base, HTTP: l.w.HTTP, App: s.App, KeyID: s.KeyID, Key: s.Key,
		AnswerKeys: s.AnswerKeys, Now: l.w.Now, Random: rand.Reader, Sleep: sleep})
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
