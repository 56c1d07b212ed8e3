// Package watch has every look of staff written down before it is answered: the
// API tells it what an answer shows, it tells the record. It is where the two
// meet, and decides nothing.
package watch

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Over is the watch of an API: particulars of a case that are shown to anybody,
// whatever a supervisor or an auditor asks, and whatever was refused.
func Over(t table.Store, now func() time.Time) httpapi.Watch {
	return func(ctx context.Context, r httpapi.Request, shown []httpapi.Shown, refused *fault.Error) error {
		at := now()
		who, err := staff.Get(ctx, t, r.Principal.ID)
		if err == nil {
			who, err = delegation.With(ctx, t, who, at)
		}
		if err != nil {
			return reading.ErrUnrecorded.Because(err)
		}
		look := reading.Look{By: who.Actor(), At: at, Operation: r.Operation, Names: slices.Sorted(maps.Keys(r.QueryValues)),
			Values: ids(r), Trace: r.Trace}
		if refused != nil {
			look.Refused = refused.Code
			return reading.Record(ctx, t, look)
		}
		maps.Copy(look.Values, places(r))
		for _, s := range shown {
			one := look
			one.Case, one.Role, one.Office, one.Purpose, one.Whole, one.Reason = s.Case, s.Role, s.Office, reading.Purpose(s.Purpose), s.Whole, s.Reason
			for _, f := range s.Fields {
				one.Fields = append(one.Fields, reading.Field(f))
			}
			if err := reading.Record(ctx, t, one); err != nil {
				return err
			}
		}
		if over := supervises(who, at); over != "" && len(shown) == 0 {
			look.Role, look.Purpose = string(over), reading.PurposeOf(string(over))
			return reading.Record(ctx, t, look)
		}
		return nil
	}
}

// supervises is as which of the two who looks, if as one.
func supervises(who staff.Staff, at time.Time) staff.Role {
	for _, role := range []staff.Role{staff.Supervisor, staff.Auditor} {
		if len(who.Holds(at, role)) > 0 {
			return role
		}
	}
	if who.Supervises(at) {
		return staff.Supervisor // what was delegated is a supervisor's work
	}
	return ""
}

// ids are the ids of ours in the path. What somebody typed there stays out.
func ids(r httpapi.Request) map[string]string {
	out := map[string]string{}
	for name, value := range r.PathValues {
		if ident.Valid(value) {
			out[name] = value
		}
	}
	return out
}

// places are the divisions that a question which was answered asked about: they
// are codes of divisions, or there would have been no answer.
func places(r httpapi.Request) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"division", "township", "place"} {
		if code, err := civil.ParseDivision(r.Query(name)); err == nil {
			out[name] = string(code)
		}
	}
	return out
}
