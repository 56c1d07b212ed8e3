package main

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// node is v as YAML: a *yaml.Node as it is, else a scalar.
func node(v any) *yaml.Node {
	switch v := v.(type) {
	case *yaml.Node:
		return v
	case string:
		n := &yaml.Node{}
		n.SetString(v)
		return n
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}
	return n
}

// mapping is an ordered mapping of key, value, key, value …
func mapping(pairs ...any) *yaml.Node {
	return add(&yaml.Node{Kind: yaml.MappingNode}, pairs...)
}

// add appends pairs to m and answers m.
func add(m *yaml.Node, pairs ...any) *yaml.Node {
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Content = append(m.Content, node(pairs[i]), node(pairs[i+1]))
	}
	return m
}

// sequence is a list.
func sequence(items ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, i := range items {
		n.Content = append(n.Content, node(i))
	}
	return n
}

// child is what m has under key, or nil.
func child(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// value is the scalar that m has under key, or "".
func value(m *yaml.Node, key string) string {
	if c := child(m, key); c != nil {
		return c.Value
	}
	return ""
}

func ref(to string) *yaml.Node { return mapping("$ref", to) }

// plain is n with every alias written out, to stand anywhere.
func plain(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return plain(n.Alias)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	for _, child := range n.Content {
		c.Content = append(c.Content, plain(child))
	}
	return &c
}
