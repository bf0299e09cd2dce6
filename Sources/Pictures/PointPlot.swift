/// Sets of points side by side, with the trajectories that lead to the points, where known.
public struct PointPlot: Sendable {
  /// One set.
  public struct Panel: Sendable {
    /// The title.
    public var title: String
    /// The starts of the trajectories, x and y of each; empty for none.
    public var starts: [Float]
    /// The points, x and y of each.
    public var points: [Float]

    /// Makes a panel.
    public init(title: String, starts: [Float] = [], points: [Float]) {
      self.title = title
      self.starts = starts
      self.points = points
    }
  }

  /// The sets.
  public var panels: [Panel]
  /// The range of the panels around 0 in each direction.
  public var reach = 3.0
  /// The number of panels in a row.
  public var columns = 4
  /// The number of trajectories that are drawn.
  public var trajectories = 200

  /// Makes a plot.
  public init(_ panels: [Panel]) { self.panels = panels }

  /// The plot as a picture.
  ///
  /// - Throws: `PictureError.impossiblePage`.
  public var picture: Picture {
    get throws(PictureError) { try draw() }
  }

  private func draw() throws(PictureError) -> Picture {
    let (size, margin, head) = (230, 14, 26)
    let across = min(columns, max(1, panels.count))
    let rows = (panels.count + across - 1) / across
    let canvas = try Canvas(
      width: margin + across * (size + margin), height: margin + rows * (size + head + margin))
    for (i, panel) in panels.enumerated() {
      let left = Double(margin + i % across * (size + margin))
      let top = Double(margin + i / across * (size + head + margin) + head)
      canvas.text(panel.title, x: left, y: top - 8, size: 13, bold: true)
      canvas.rectangle(
        x: left, y: top, width: Double(size), height: Double(size), gray: 0.965)
      func place(_ values: [Float], _ i: Int) -> (x: Double, y: Double)? {
        let (x, y) = (Double(values[2 * i]), Double(values[2 * i + 1]))
        guard abs(x) < reach, abs(y) < reach else { return nil }
        let scale = Double(size) / (2 * reach)
        return (left + (x + reach) * scale, top + (reach - y) * scale)
      }
      for i in 0..<min(trajectories, panel.starts.count / 2) {
        guard let start = place(panel.starts, i), let end = place(panel.points, i) else { continue }
        canvas.line([start, end], color: .gray(0.5).with(opacity: 0.35), width: 0.7)
      }
      let color = Canvas.Color.palette[panel.starts.isEmpty ? 1 : 0].with(opacity: 0.5)
      for i in 0..<panel.points.count / 2 {
        guard let point = place(panel.points, i) else { continue }
        canvas.dot(x: point.x, y: point.y, radius: 1.1, color: color)
      }
    }
    return canvas.picture
  }
}
