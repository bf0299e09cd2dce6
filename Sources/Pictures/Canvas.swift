import CCairo

/// A white page to draw on with cairo. Coordinates are pixels from the upper left corner.
public final class Canvas {
  /// The width in pixels.
  public let width: Int
  /// The height in pixels.
  public let height: Int
  private let surface: OpaquePointer
  private let context: OpaquePointer

  /// A color with components from 0 to 1.
  public struct Color: Hashable, Sendable {
    let red, green, blue: Double
    var opacity = 1.0

    /// A gray.
    public static func gray(_ value: Double) -> Color {
      Color(red: value, green: value, blue: value)
    }

    /// The same color with an opacity.
    public func with(opacity: Double) -> Color {
      Color(red: red, green: green, blue: blue, opacity: opacity)
    }

    /// A palette for people with color vision deficiency: Okabe and Ito, 2008.
    public static let palette = [
      (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
      (0, 0, 0), (150, 140, 60),
    ].map { Color(red: $0.0 / 255, green: $0.1 / 255, blue: $0.2 / 255) }
  }

  /// The alignment of text relative to its position.
  public enum Alignment: Sendable {
    /// The text starts at the position.
    case left
    /// The text is centered at the position.
    case center
    /// The text ends at the position.
    case right
  }

  /// The largest width and height of a page in cairo.
  public static let largest = 32767

  /// Makes a white page.
  ///
  /// - Throws: `PictureError.impossiblePage` where it is empty, larger than `largest` or does not
  ///   fit into memory.
  public init(width: Int, height: Int) throws(PictureError) {
    guard (1...Self.largest).contains(width), (1...Self.largest).contains(height),
      let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width), Int32(height))
    else { throw .impossiblePage(width: width, height: height) }
    guard cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS else {
      cairo_surface_destroy(surface)
      throw .impossiblePage(width: width, height: height)
    }
    self.width = width
    self.height = height
    self.surface = surface
    context = cairo_create(surface)
    cairo_set_source_rgb(context, 1, 1, 1)
    cairo_paint(context)
  }

  deinit {
    cairo_destroy(context)
    cairo_surface_destroy(surface)
  }

  /// Draws a line of text at a baseline.
  public func text(
    _ text: String, x: Double, y: Double, size: Double, bold: Bool = false, gray: Double = 0.1,
    alignment: Alignment = .left
  ) {
    setFont(size, bold)
    let shift =
      switch alignment {
      case .left: 0.0
      case .center: extent(text) / 2
      case .right: extent(text)
      }
    cairo_set_source_rgb(context, gray, gray, gray)
    cairo_move_to(context, x - shift, y)
    cairo_show_text(context, text)
  }

  /// The width of a line of text.
  public func width(of text: String, size: Double, bold: Bool = false) -> Double {
    setFont(size, bold)
    return extent(text)
  }

  /// Fills a rectangle with a gray value; 0 is black.
  public func rectangle(x: Double, y: Double, width: Double, height: Double, gray: Double) {
    cairo_set_source_rgb(context, gray, gray, gray)
    cairo_rectangle(context, x, y, width, height)
    cairo_fill(context)
  }

  /// Draws a line through points.
  ///
  /// - Parameter dashes: the lengths of dashes and gaps in turn; empty for a solid line.
  public func line(
    _ points: [(x: Double, y: Double)], color: Color, width: Double = 1, dashes: [Double] = []
  ) {
    guard let first = points.first else { return }
    set(color)
    cairo_set_line_width(context, width)
    cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
    cairo_set_dash(context, dashes, Int32(dashes.count), 0)
    cairo_move_to(context, first.x, first.y)
    for point in points.dropFirst() { cairo_line_to(context, point.x, point.y) }
    cairo_stroke(context)
  }

  /// Fills a circle.
  public func dot(x: Double, y: Double, radius: Double, color: Color) {
    set(color)
    cairo_arc(context, x, y, radius, 0, 2 * .pi)
    cairo_fill(context)
  }

  private func set(_ color: Color) {
    cairo_set_source_rgba(context, color.red, color.green, color.blue, color.opacity)
  }

  /// Draws a picture enlarged by `scale`.
  public func picture(_ picture: Picture, x: Int, y: Int, scale: Int) {
    cairo_surface_flush(surface)
    guard let data = cairo_image_surface_get_data(surface) else { return }
    let stride = Int(cairo_image_surface_get_stride(surface))
    for row in 0..<picture.height * scale where (0..<height).contains(y + row) {
      for column in 0..<picture.width * scale where (0..<width).contains(x + column) {
        let source = (row / scale * picture.width + column / scale) * picture.channels
        let color = picture.channels == 1 ? [0, 0, 0] : [2, 1, 0]
        let place = (y + row) * stride + (x + column) * 4
        for (i, channel) in color.enumerated() {
          data[place + i] = picture.values[source + channel]
        }
      }
    }
    cairo_surface_mark_dirty(surface)
  }

  /// The page as an RGB picture.
  public var picture: Picture {
    cairo_surface_flush(surface)
    let stride = Int(cairo_image_surface_get_stride(surface))
    var values = [UInt8](repeating: 255, count: width * height * 3)
    if let data = cairo_image_surface_get_data(surface) {
      for row in 0..<height {
        for column in 0..<width {
          for channel in 0..<3 {
            values[(row * width + column) * 3 + channel] =
              data[row * stride + column * 4 + 2 - channel]
          }
        }
      }
    }
    return Picture(width: width, height: height, channels: 3, values: values)
  }

  private func setFont(_ size: Double, _ bold: Bool) {
    cairo_select_font_face(
      context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
      bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
    cairo_set_font_size(context, size)
  }

  private func extent(_ text: String) -> Double {
    var extents = cairo_text_extents_t()
    cairo_text_extents(context, text, &extents)
    return extents.x_advance
  }
}
