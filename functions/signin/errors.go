package signin

import "github.com/doudi-aid/doudi/shared/fault"

// What can go wrong for staff; the faults of WeChat's side are wxapp's own.
var (
	// ErrStaffRefused: the code is wrong or used, nobody has that id, or the
	// person no longer works here; which of these is nobody's business.
	ErrStaffRefused = fault.New(fault.Unauthenticated, "staff-sign-in-refused", "登录没有成功，请重新登录；仍不行请联系本单位管理员。", "Sign-in was refused.")
	// ErrStaffUnavailable: there is no staff single sign-on here, or it does not
	// answer. There is no local password to fall back on.
	ErrStaffUnavailable = fault.New(fault.Unavailable, "staff-sign-in-unavailable", "统一身份认证暂时不可用，请稍后再试。", "Staff sign-in is not available at the moment.").After(30)
)
