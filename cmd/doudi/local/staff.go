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
type localStaff struct{}

var canonical = regexp.MustCompile(`^[0-9]{6}-`)

// Who is the staff id that the code names.
func (localStaff) Who(_ context.Context, code, region string) (string, error) {
	id, ok := strings.CutPrefix(code, "staff:")
	if !ok || id == "" {
		return "", signin.ErrStaffRefused
	}
	if canonical.MatchString(id) {
		return id, nil
	}
	if region == "" {
		region = defaultRegion
	}
	return seed.ID(region[:min(6, len(region))], id), nil
}
