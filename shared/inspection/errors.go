package inspection

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a finding or with a wish to judge it.
var (
	ErrNotFound = fault.New(fault.NotFound, "finding-not-found", "没有找到这条核查发现。", "No such finding.")
	ErrJudged   = fault.New(fault.Conflict, "finding-judged", "这条核查发现已经有人作出结论。", "Somebody has judged this finding already.")
)
