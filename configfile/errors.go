package configfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// An Error is one problem with a configuration. It never shows a secret.
type Error struct {
	// File is the document's name.
	File string
	// Line and Column count characters from 1. Zero: the problem has no place.
	Line, Column int
	// Path leads to the element or attribute from the root, such as
	// cacheManager[2].properties.servers. Entries of one name count from 1.
	Path string
	// Reason says what is wrong and what to do.
	Reason string

	cause error
}

// Error reads "file:line:column: path: reason", without what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	for _, part := range []string{e.Path, e.Reason} {
		if part != "" && b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// Unwrap returns the error behind the problem, such as the provider's own, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Errors are all the problems of a file, in the order of their places.
type Errors []*Error

// Error has one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems for errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// A report collects the problems of a document.
type report struct {
	configtree.Report
	file   string
	others Errors // problems that the providers found
}

// at reports a problem at the place of a node.
func (r *report) at(n *configtree.Node, format string, args ...any) { r.Add(n, format, args...) }

// err returns the problems, or nil if there are none.
func (r *report) err() error {
	var errs Errors
	for _, p := range r.Problems(r.file) {
		errs = append(errs, &Error{File: r.file, Line: p.Line, Column: p.Column, Path: p.Path, Reason: p.Reason})
	}
	if errs == nil {
		return nil
	}
	if r.others != nil {
		errs = append(errs, r.others...)
		errs.sort(r.file)
	}
	return errs
}

// blame returns the errors of another package as problems of what stands at n, or of the
// uri or property in it that they begin with, or of the provider's own file.
func blame(file string, n *configtree.Node, uri string, err error) Errors {
	var errs Errors
	for _, one := range setting.Each(err, jcache.ErrInvalid) {
		var p *setting.Problem
		inFile := errors.As(one, &p) && p.File != "" // the provider's own, or whatever stands above it
		if inFile && p.Line > 0 {
			errs = append(errs, &Error{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Reason: p.Reason, cause: one})
			continue
		}
		at, reason := n, reasonOf(one)
		if inFile {
			at = n.Child("uri")
		} else if name, rest, ok := strings.Cut(reason, ": "); ok && settingAt(n, name) != n {
			at, reason = settingAt(n, name), rest
		} else if uri != "" && strings.HasPrefix(reason, uri+":") || strings.HasPrefix(reason, "uri: ") {
			at, reason = n.Child("uri"), strings.TrimPrefix(reason, "uri: ")
		}
		errs = append(errs, &Error{File: file, Line: at.At().Line, Column: at.At().Column, Path: at.Path(), Reason: reason, cause: one})
	}
	return errs
}

// settingAt returns the node of a cacheManager's property, such as tls.caFile, or n itself if
// it is not there.
func settingAt(n *configtree.Node, path string) *configtree.Node {
	at := n.Child(propertiesName)
	for name := range strings.SplitSeq(path, ".") {
		next := at.Child(name)
		if next == at {
			return n
		}
		at = next
	}
	return at
}

// reasonOf returns an error's text in one line, without the name of a package in front.
func reasonOf(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "httpsession: "), "http: ")
	return strings.ReplaceAll(text, "\n", "; ")
}
