import Testing

@testable import Serving

@Suite struct HeaderValueTests {
  @Test(
    arguments: [
      ("form-data", "form-data", [:]),
      ("Form-Data; Name=\"a\"", "form-data", ["name": "a"]),
      ("a ; x=1;y=\"2\" ; z=3;", "a", ["x": "1", "y": "2", "z": "3"]),
      (#"a; x="q\"u\\o;te""#, "a", ["x": #"q"u\o;te"#]),
      ("a; x=\"\"; y=a=b", "a", ["x": "", "y": "a=b"]),
      ("a; f=\"köln.png\"; f*=UTF-8''x", "a", ["f": "köln.png", "f*": "UTF-8''x"]),
      ("text/html;;charset=utf-8", "text/html", ["charset": "utf-8"]),
    ] as [(String, String, [String: String])])
  func readsParameters(text: String, value: String, parameters: [String: String]) {
    let header = HeaderValue(text)
    #expect(header?.value == value && header?.parameters == parameters)
  }

  @Test(
    arguments: [
      "", ";", "; a=1", "a b", "a; x", "a; x=", "a; =1", "a; x=1; x=2", "a; x=\"1", "a; x=\"1\\",
      "a; x=1 2", "a; x=\"1\"2", "a; x =1", "a; x=a\"b", "a\u{1}; x=1", "\"a\"",
    ])
  func refusesMalformedValues(text: String) {
    #expect(HeaderValue(text) == nil)
  }
}
