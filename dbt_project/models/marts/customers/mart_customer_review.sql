with customer_reviews as (
    select * from {{ ref('stg_gold__customer_reviews') }}
),

profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

final as (
    select
        customer_reviews.business_date as as_of_date,
        customer_reviews.customer_id,
        customer_reviews.other_customer_id,
        customer_reviews.review_reason,
        profiles.branch_id,
        other_profiles.branch_id as other_branch_id
    from customer_reviews
    left join profiles
        on
            customer_reviews.customer_id = profiles.customer_id
            and customer_reviews.business_date = profiles.as_of_date
    left join profiles as other_profiles
        on
            customer_reviews.other_customer_id = other_profiles.customer_id
            and customer_reviews.business_date = other_profiles.as_of_date
)

select * from final
