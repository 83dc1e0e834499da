// Says hello, with a little help from npm.
const leftPad = require('left-pad')
const ms = require('ms')
const colors = require('picocolors')

console.log(colors.bold(leftPad('hello', 8)) + ', ' + ms(86_400_000) + ' later')
