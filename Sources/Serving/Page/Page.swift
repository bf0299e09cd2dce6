import Foundation

/// The page of the server, one file without outside requests.
enum Page {
  /// The file.
  static let html = Data(PackageResources.page_html)

  /// What the page may load: nothing from elsewhere.
  static let policy = """
    default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    """
}
