// Package examples holds the bare programs to start from, one in each folder.
package examples
