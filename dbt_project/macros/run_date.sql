{#- A date of the run as a SQL literal: first_date, last_date or opening_date. -#}
{% macro run_date(name) -%}
    date '{{ var(name) }}'
{%- endmacro %}
