package local

import (
	"context"
	"regexp"
	"strings"

	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/staff/seed"
)

// defaultRegion is whose staff a bare "staff:clerk-1" means.
const defaultRegion = "320400"

// localStaff takes "staff:<id>" for a proof of identity. It exists only here: a
// deployed function has a single sign-on or nobody gets in.
type localStaff struct{ *System }

var canonical = regexp.MustCompile(`^[0-9]{6}([0-9]{3})?-`)

// Who is the staff id that the code names. "clerk-1" is one of the region's own
// people; "320411002-clerk-1" is somebody in that township, who is appointed the
// first time.
func (l localStaff) Who(ctx context.Context, code, region string) (string, error) {
	id, ok := strings.CutPrefix(code, "staff:")
	if !ok || id == "" {
		return "", signin.ErrStaffRefused
	}
	if !canonical.MatchString(id) {
		if region == "" {
			region = defaultRegion
		}
		return seed.ID(region[:min(6, len(region))], id), nil
	}
	return id, seed.Office(ctx, l.Table, l.Box, l.Blind, l.Tree, id, l.now())
}
