import Foundation
import HTTPTypes
import Testing

@testable import Serving

@Suite struct AccessTests {
  @Test func requestsNeedTheKey() async throws {
    let server = try TestServer { $0.key = try? APIKey("secret-of-some-length", source: "test") }
    let path = "/v1/models"
    let missing = try await server.call(.get, path)
    #expect(missing.status == 401 && missing.error["message"] as? String != nil)
    for wrong in ["Bearer other-of-some-length", "Bearer ", "secret-of-some-length", "Basic x"] {
      #expect(try await server.call(.get, path, [.authorization: wrong]).status == 401, "\(wrong)")
    }
    let right: HTTPFields = [.authorization: "Bearer secret-of-some-length"]
    #expect(try await server.call(.get, path, right).status == 200)
    #expect(try await server.call(.get, "/metrics").status == 401)
    #expect(try await server.call(.get, "/metrics", right).status == 200)
    // The page asks for the key itself, and whoever watches the server has none.
    #expect(try await server.call(.get, "/").status == 200)
    #expect(try await server.call(.get, "/health").status == 200)
  }

  @Test(arguments: ["0.0.0.0", "::", "192.168.1.2", "example.org"])
  func addressesBeyondThisMachineNeedAKey(host: String) throws {
    #expect(throws: ServingError.openWithoutKey(host: host)) {
      _ = try TestServer { $0.host = host }
    }
    _ = try TestServer {
      $0.host = host
      $0.key = try? APIKey("secret-of-some-length", source: "test")
    }
  }

  @Test func thePageLoadsNothingFromElsewhere() async throws {
    let page = try await TestServer().call(.get, "/")
    #expect(page.headers[.contentType] == "text/html; charset=utf-8")
    let policy = try #require(page.headers[.contentSecurityPolicy])
    #expect(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"))
    #expect(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"))
  }
}
