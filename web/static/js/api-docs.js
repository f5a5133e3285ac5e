/** Starts Swagger UI on /api/docs. */

const target = document.getElementById("api-docs");
const heading = target?.querySelector(".page-head");

/** @type {any} */ (window).SwaggerUIBundle({
  url: target?.dataset.url,
  dom_id: "#api-docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
if (heading) target?.before(heading);
