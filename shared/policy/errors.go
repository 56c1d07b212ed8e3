package policy

import "github.com/doudi-aid/doudi/shared/fault"

// ErrNoRules is that no region's rules are in force for the place and the day.
// Nothing falls back by itself: a person of the responsible office must help.
var ErrNoRules = fault.New(fault.NotFound, "policy-no-rules",
	"这个地区还没有启用救助规则，请联系当地乡镇（街道）办事处或拨打12345。",
	"No rules are in force for this place on this day.")
