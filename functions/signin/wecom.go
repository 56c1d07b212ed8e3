package signin

import (
	"context"
	"errors"

	"github.com/doudi-aid/doudi/shared/wecom"
)

// WeCom is a StaffIdentity: a member of the one corporation that the client is
// of. A staff id is the member's name there, so identity provider, corporation
// and member together are one person, and a member nobody imported is nobody.
// The region that a person names says nothing here.
type WeCom struct{ Client *wecom.Client }

// Who is the member that a code stands for.
func (w WeCom) Who(ctx context.Context, code, _ string) (string, error) {
	member, err := w.Client.Member(ctx, code)
	switch {
	case err == nil:
		return member, nil
	case errors.Is(err, wecom.ErrRefused):
		return "", ErrStaffRefused
	default:
		return "", ErrStaffUnavailable.Because(err)
	}
}
