package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// complaints measures whole lives of complaints over HTTP on two durable systems
// in turns, one with none stored and one with options.stored: filed, accepted,
// assigned, handled, reviewed, replied and rated, by a complainant who signs in and
// three officers.
func complaints(ctx context.Context, o options) error {
	stored := [2]int{0, o.stored}
	var works [2]func(context.Context) error
	for i, n := range stored {
		s, err := stage.Open(ctx, filepath.Join(o.dir, fmt.Sprint(i)), func(*local.Options) {})
		if err != nil {
			return err
		}
		defer s.Close()
		var officers [3]caller.Caller // of supervision, who handles, who reviews
		for i, id := range []string{"staff:supervisor-3", "staff:clerk-1", "staff:reviewer-1"} {
			if officers[i], err = s.Caller.SignIn(ctx, "/v1/staff/sessions", id, "320400"); err != nil {
				return err
			}
		}
		if n > 0 {
			id, err := live(ctx, s, officers)
			if err == nil {
				err = fill(ctx, s, id, n)
			}
			if err != nil {
				return err
			}
		}
		works[i] = func(ctx context.Context) error {
			_, err := live(ctx, s, officers)
			return err
		}
	}
	inTurns(ctx, 64, o.lasting, stored, works)
	return ctx.Err()
}

// live is one whole life of a complaint.
func live(ctx context.Context, s *stage.Stage, officers [3]caller.Caller) (string, error) {
	n := s.Next()
	citizen, err := s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:complaint-%d", n), "")
	if err != nil {
		return "", err
	}
	var c struct {
		ID      string `json:"id"`
		Version int64  `json:"version"`
	}
	if err := citizen.Do(ctx, http.MethodPost, "/v1/complaints", fmt.Sprintf("c%d", n), map[string]any{"place": "320402005001", "module": "hardship-allowances",
		"item": "first-aid", "description": "救助金少发了一半，请核实。", "name": "王测安", "phone": "19900000000"}, &c); err != nil {
		return "", err
	}
	id, path := c.ID, "/v1/staff/complaints/"+c.ID
	for i, step := range []struct {
		who  int
		path string
		body map[string]any
	}{
		{0, "/acceptance", map[string]any{}},
		{0, "/assignments", map[string]any{"division": "320402005000", "brief": "群众反映救助金未足额发放，请核实。"}},
		{1, "/findings", map[string]any{"outcome": "upheld", "text": "查实漏发一笔，已补发。"}},
		{2, "/reviews", map[string]any{"pass": true, "text": "同意。"}},
		{1, "/replies", map[string]any{"text": "您反映的情况属实，差额已经补发。"}},
	} {
		if step.path == "/reviews" {
			step.body["finding_version"] = c.Version
		}
		if err := officers[step.who].Do(ctx, http.MethodPost, path+step.path, fmt.Sprintf("%d-%s", i, id), step.body, &c); err != nil {
			return id, err
		}
	}
	return id, citizen.Do(ctx, http.MethodPost, "/v1/complaints/"+id+"/ratings", "r"+id, map[string]any{"rating": "satisfied"}, nil)
}

// fill stores n copies of one complaint with all that is kept of it.
func fill(ctx context.Context, s *stage.Stage, id string, n int) error {
	page, err := s.Table.Query(ctx, table.Query{PK: complaint.Partition(id)})
	if err != nil {
		return err
	}
	copied := func(id string, i int64) []table.Write {
		return stage.Copied(page.Items, complaint.Partition(""), id, i, complaint.OwnerList(ident.Derive("bench owner", fmt.Sprint(i/5))))
	}
	return s.Spread(ctx, 0, int64(n), len(page.Items), copied, func(done int) { progress("storing complaints", done, n) })
}
