// Package deploy brings a region's stack up: it reads what the operator wrote of
// the region, finds everything that is wrong with it before anything is made, and
// then calls the SAM CLI, or the AWS CLI where there is no other. It holds no
// credentials and speaks to AWS only through those two programs.
package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Folder is where the files of regions are, from the root of the repository.
const Folder = "infra/regions"

// Region is what the operator says of one region: infra/regions/<name>.toml. It
// holds no secrets; those are put into Secrets Manager after the first deploy.
type Region struct {
	Name      string `toml:"-"`          // of the file, and of the environment in samconfig.toml
	Title     string `toml:"title"`      // for people
	Stack     string `toml:"stack"`      // name of the root stack
	Account   string `toml:"account"`    // twelve digits
	Partition string `toml:"partition"`  // "aws-cn" in China, else "aws"
	AWSRegion string `toml:"aws_region"` // "cn-north-1"
	Profile   string `toml:"profile"`    // of the AWS CLI; "" for its default
	Artifacts string `toml:"artifacts"`  // bucket the zips are sent to
	Filing    string `toml:"icp_filing"` // number of the ICP filing, in China
	Rail      Rail   `toml:"rail"`
	// Parameters are those of template.yaml, by name.
	Parameters map[string]any `toml:"parameters"`
}

// Rail is what was agreed with the bank.
type Rail struct {
	CallsPerSecond int `toml:"calls_per_second"` // sends, and as many queries
	FastestCallMS  int `toml:"fastest_call_ms"`  // how quick its quickest answer is
}

// ErrUnknown is a region that nobody has written down.
var ErrUnknown = errors.New("deploy: no such region")

var nameForm = regexp.MustCompile(`^[a-z0-9-]+$`)

// Read reads the file of one region; what it cannot place is an error with all of it.
func Read(root fs.FS, name string) (Region, error) {
	known, err := Names(root)
	if err != nil {
		return Region{}, err
	}
	if !nameForm.MatchString(name) || !slices.Contains(known, name) {
		return Region{}, fmt.Errorf("%w: %q is not in %s, which has: %s", ErrUnknown, name, Folder, strings.Join(known, ", "))
	}
	raw, err := fs.ReadFile(root, path.Join(Folder, name+".toml"))
	if err != nil {
		return Region{}, err
	}
	var r Region
	meta, err := toml.Decode(string(raw), &r)
	if err != nil {
		return Region{}, fmt.Errorf("deploy: %s.toml: %w", name, err)
	}
	if open := meta.Undecoded(); len(open) > 0 {
		return Region{}, fmt.Errorf("deploy: %s.toml has keys that mean nothing: %v", name, open)
	}
	r.Name = name
	return r, nil
}

// Names are the regions that are written down, in order.
func Names(root fs.FS) ([]string, error) {
	files, err := fs.Glob(root, path.Join(Folder, "*.toml"))
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	return files, nil
}

// parameter is the text of one parameter, as CloudFormation takes it.
func (r Region) parameter(name string) string {
	if v, given := r.Parameters[name]; given {
		return fmt.Sprint(v)
	}
	return ""
}
