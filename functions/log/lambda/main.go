// Log on Lambda: gets the events of the table, runs every minute, and answers
// whoever checks.
package main

import (
	"context"
	"crypto/rand"

	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/changes"
	"github.com/doudi-aid/doudi/shared/deployed/queues"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/evidence/bucket"
	"github.com/doudi-aid/doudi/shared/work"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	at, where := secrets.Named(w, "DOUDI_LOG_SECRET"), w.Settings.Text("DOUDI_LOG_BUCKET")
	send := queues.Sender(w, work.Oversee)
	box, err := w.Box()
	if err != nil {
		return err
	}
	entries, blobs := evidence.New(w.Table, box, rand.Reader, w.Now), bucket.New(w.AWS, where)
	made := secrets.Make(w, func(ctx context.Context, r *secrets.Reading) (deployed.Three, error) {
		keys, err := secrets.Read[evidence.Keys](ctx, r, at)
		if err != nil {
			return deployed.Three{}, err
		}
		p, err := keys.Publisher(entries, blobs)
		if err != nil {
			return deployed.Three{}, err
		}
		d := log.Deps{Publisher: p, Key: keys.Public, Pinned: keys.Witnesses, Send: send, Now: w.Now, Metrics: w.Metrics, Log: w.Log}
		return deployed.Three{API: w.API(log.Routes(d)), Changes: log.Changes(d), Tick: func(ctx context.Context) error { return log.Run(ctx, d) }}, nil
	})
	w.ServeChangesAndTickWith(changes.Decode, made.Get)
	return nil
}
